#!/usr/bin/env python3
"""receiver.py unix SOCKET FILE | http PORT FILE: a receiver of events that can be made to hang. SIGUSR1: it takes
connections and neither reads nor answers; SIGUSR2: it works again. What it acknowledged is in FILE."""
import http.server
import pathlib
import signal
import socket
import sys
import threading

working = threading.Event()
working.set()
signal.signal(signal.SIGUSR1, lambda *_: working.clear())
signal.signal(signal.SIGUSR2, lambda *_: working.set())


def serve_lines(connection, file, lock):
    """What a peer that died had not finished is no event."""
    rest = b""
    with connection:
        while True:
            working.wait()
            data = connection.recv(1 << 18)
            if not data:
                return
            lines = rest + data
            end = lines.rfind(b"\n") + 1
            rest = lines[end:]
            with lock:
                file.write(lines[:end])


def serve_unix(path, file):
    pathlib.Path(path).unlink(missing_ok=True)
    lock = threading.Lock()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_lines, args=(connection, file, lock), daemon=True).start()


def handler_for(file):
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            working.wait()
            with lock:
                file.write(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


def main():
    kind, place, name = sys.argv[1:]
    with open(name, "ab", buffering=0) as file:
        if kind == "unix":
            serve_unix(place, file)
        else:
            http.server.ThreadingHTTPServer.daemon_threads = True
            http.server.ThreadingHTTPServer(("127.0.0.1", int(place)), handler_for(file)).serve_forever()


main()
