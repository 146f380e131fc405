#!/usr/bin/env python3
"""No function is longer than sixty lines: a reader can hold it. C, C++ and shell
by their braces in the first column, Python by its syntax tree."""
import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIMIT = 60
FOLDERS = ("bpf", "userspace", "tests", "tools")
NOT_A_FUNCTION = re.compile(r"^(namespace|class|struct|union|enum|extern|typedef)\b|=\s*\{$|^(static )?const(expr)? .*\{$")


def brace_functions(lines):
    """(first line, length) of what opens with a brace in column one's statement and closes in column one."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("}"):
            if start is not None and not line.startswith("};"):
                yield start, number - start + 1
            start = None
        elif line and not line[0].isspace() and line[0] not in "#/*{}":
            start = None if NOT_A_FUNCTION.search(line) else number


def functions(path):
    text = path.read_text()
    if path.suffix == ".py" or text.startswith("#!/usr/bin/env python3"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.lineno, node.end_lineno - node.lineno + 1
    elif path.suffix in (".c", ".h", ".cpp", ".sh") or re.match(r"#!.*\b(bash|sh)\n", text):
        yield from brace_functions(text.split("\n"))


def main():
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("**/*")):
            if not path.is_file() or "corpus" in path.parts or path.suffix in (".json", ".toml", ".md", ".txt", ".pyc"):
                continue
            try:
                longer = [(line, length) for line, length in functions(path) if length > LIMIT]
            except UnicodeDecodeError:
                continue
            found += [f"{path.relative_to(ROOT)}:{line}: {length} lines" for line, length in longer]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
