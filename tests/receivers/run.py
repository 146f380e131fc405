#!/usr/bin/env python3
"""run.py RECEIVER --bin DIR: the event sinks against a receiver of Debian's, as real processes on loopback. The
receiver is killed and restarted under load, the feeder (which stands for the agent) too; afterwards every event must be
with the receiver, and copies must be known by their seq. Exit: 0 so it is, 77 the receiver is not installed.
What it starts it ends, by its process id; everything else it makes is in a folder that is removed."""
import argparse
import collections
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVENTS = 60_000
RATE = 12_000


class Missing(Exception):
    """The receiver is not on this machine."""


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def certificates(folder):
    """A CA, and a certificate of it for the names `receiver.example` and `localhost`."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=receiver.example", "-keyout", "receiver.key", "-out", "receiver.csr")
    (folder / "names").write_text("subjectAltName=DNS:receiver.example,DNS:localhost\n")
    openssl("x509", "-req", "-in", "receiver.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
            "2", "-extfile", "names", "-out", "receiver.pem")


class Process:
    """A receiver that is a program: started, killed, started again."""

    def __init__(self, folder, program, *arguments, environment=None):
        if not shutil.which(program):
            raise Missing(program)
        self.command = [shutil.which(program), *arguments]
        self.log = folder / "receiver.log"
        self.environment = environment
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=self.environment)

    def stop(self, how):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)


def seqs_of_lines(path):
    """How often each seq is among the whole lines of a file; half a line is what a kill may leave."""
    found = collections.Counter()
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                found[json.loads(line)["seq"]] += 1
            except (ValueError, KeyError, TypeError):
                continue
    return found


class RsyslogTls:
    """deploy/rsyslog/apnat.conf, its paths and its port changed."""
    kills = signal.SIGKILL

    def __init__(self, folder):
        certificates(folder)
        self.folder, self.port = folder, free_port()
        sample = (ROOT / "deploy/rsyslog/apnat.conf").read_text(encoding="utf-8")
        sample = sample.replace("/etc/ssl/apnat", str(folder)).replace("/var/log/apnat", str(folder))
        sample = sample.replace('port="6514"', f'port="{self.port}"')
        (folder / "rsyslog.conf").write_text(f'global(workDirectory="{folder}")\n{sample}', encoding="utf-8")
        self.process = Process(folder, "rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i",
                               str(folder / "rsyslog.pid"))

    def start(self):
        (self.folder / "rsyslog.pid").unlink(missing_ok=True)
        self.process.start()
        wait_until("rsyslog listens", lambda: listens(self.port))

    def stop(self, how):
        self.process.stop(how)

    def sink(self):
        return (f'type = "syslog"\naddress = "127.0.0.1:{self.port}"\nprotocol = "tls"\n'
                f'ca = "{self.folder}/ca.pem"\nserver_name = "receiver.example"\nfacility = "local4"\n')

    def received(self):
        return seqs_of_lines(self.folder / "received.jsonl")

    def also(self, feed):
        """A certificate for another name, or of another CA, gets nothing."""
        before = sum(self.received().values())
        for wrong in (self.sink().replace("receiver.example", "other.example"),
                      self.sink().replace("ca.pem", "receiver.pem")):
            done = feed(wrong, "--events", "10", "--patience", "1", name="refused")
            assert done.returncode == 1, "a receiver that is not who it should be was trusted"
            assert "certificate" in done.stdout, done.stdout
        assert sum(self.received().values()) == before, "events went to a receiver that was not trusted"
        print("a receiver whose certificate is wrong gets nothing:", done.stdout.strip().splitlines()[-1])


def unpacked_syslog_ng(folder):
    """syslog-ng cannot be installed beside rsyslog: its package is unpacked, nothing more."""
    cache = pathlib.Path(os.environ.get("APNAT_PACKAGES", ROOT / "build/packages"))
    tree = cache / "syslog-ng-core"
    if not (tree / "usr/sbin/syslog-ng").exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise Missing("apt-get")
        cache.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(["apt-get", "-qq", "download", "syslog-ng-core"], cwd=cache, capture_output=True,
                                 text=True, check=False)
        packages = sorted(cache.glob("syslog-ng-core_*.deb"))
        if not packages:
            raise Missing("syslog-ng-core: " + fetched.stderr.strip())
        subprocess.run(["dpkg", "-x", packages[-1], tree], check=True)
    return tree


class SyslogNg:
    """deploy/syslog-ng/apnat.conf, its paths and its port changed."""
    # What it has read and not written yet is in its memory: it is ended as a restart ends it.
    kills = signal.SIGTERM

    def __init__(self, folder):
        tree = unpacked_syslog_ng(folder)
        self.folder, self.port = folder, free_port()
        sample = (ROOT / "deploy/syslog-ng/apnat.conf").read_text(encoding="utf-8")
        sample = sample.replace("/var/log/apnat", str(folder)).replace("0.0.0.0", "127.0.0.1")
        sample = sample.replace("port(601)", f"port({self.port})")
        (folder / "syslog-ng.conf").write_text('@version: 3.38\n' + sample, encoding="utf-8")
        environment = {**os.environ, "LD_LIBRARY_PATH": f"{tree}/usr/lib/syslog-ng"}
        modules = tree / "usr/lib/syslog-ng/3.38"
        self.process = Process(folder, str(tree / "usr/sbin/syslog-ng"), "-F", "--no-caps", "-f",
                               str(folder / "syslog-ng.conf"), "-R", str(folder / "persist"), "-p",
                               str(folder / "pid"), "-c", str(folder / "control"), "--module-path", str(modules),
                               environment=environment)

    def start(self):
        self.process.start()
        wait_until("syslog-ng listens", lambda: listens(self.port))

    def stop(self, how):
        self.process.stop(how)

    def sink(self):
        return f'type = "syslog"\naddress = "127.0.0.1:{self.port}"\nprotocol = "tcp"\n'

    def received(self):
        return seqs_of_lines(self.folder / "received.jsonl")

    def also(self, feed):
        pass


class Http:
    """An API that fails on purpose: it closes, answers 503, or takes too long for one request in a few."""
    kills = signal.SIGKILL

    def __init__(self, folder):
        certificates(folder)
        self.folder, self.port = folder, free_port()
        self.seqs, self.lock = collections.Counter(), threading.Lock()
        self.requests, self.failures = 0, collections.Counter()
        self.server = None
        (folder / "token").write_text("secret\n", encoding="utf-8")

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.answer(self, body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.handle_error = lambda *_: None  # a client that was killed
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "receiver.pem", self.folder / "receiver.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, request, body):
        with self.lock:
            self.requests += 1
            turn = self.requests % 12
        if turn == 3:
            self.failures["503"] += 1
            return self.reply(request, 503, {})
        if turn == 6:
            self.failures["closed before"] += 1
            request.close_connection = True
            return None
        assert request.headers["Authorization"] == "ApiKey secret"
        assert request.headers["Content-Type"] == "application/x-ndjson"
        lines = body.decode().splitlines()
        with self.lock:
            for action, event in zip(lines[::2], lines[1::2]):
                seq = json.loads(event)["event"]["sequence"]
                assert json.loads(action)["create"]["_id"] == f"cgn1-{seq}"
                self.seqs[seq] += 1
        if turn == 9:  # taken, but the answer is lost: the same documents will come again
            self.failures["closed after"] += 1
            request.close_connection = True
            return None
        return self.reply(request, 200, {"errors": False, "items": []})

    @staticmethod
    def reply(request, status, answer):
        text = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def stop(self, _):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def sink(self):
        return (f'type = "http"\nurl = "https://localhost:{self.port}/_bulk"\nbody = "elastic_bulk"\nformat = "ecs"\n'
                f'ca = "{self.folder}/ca.pem"\ntoken_file = "{self.folder}/token"\ntoken_scheme = "ApiKey"\n')

    def received(self):
        with self.lock:
            return collections.Counter(self.seqs)

    def also(self, _):
        print("requests", self.requests, "made to fail", dict(self.failures))
        assert len(self.failures) == 3, "the receiver did not fail in each of its ways"


def dumped(path):
    """What ipfixDump (CERT's libfixbuf) reads in a file of messages: their headers, and their records by name."""
    if not shutil.which("ipfixDump"):
        raise Missing("ipfixDump (libfixbuf-tools)")
    if not path.exists():
        return [], []
    text = subprocess.run(["ipfixDump", "-i", path], capture_output=True, text=True, check=True).stdout
    messages, records = [], []
    for line in text.splitlines():
        if head := re.search(r"observation domain id: (\d+)", line):
            messages.append({"domain": int(head[1]), "records": 0})
        elif head := re.search(r"sequence number: (\d+)", line):
            messages[-1]["sequence"] = int(head[1])
        elif line.startswith("--- data record"):
            messages[-1]["records"] += 1
            records.append({"domain": messages[-1]["domain"]})
        elif field := re.match(r"\t\(\d+\)(?: \(S\))?\s+(\w+) : (.*)", line):
            records[-1][field[1]] = field[2]
    return messages, records


class IpfixTcp:
    """IPFIX over TCP: nfcapd does not take it, so a collector that only keeps messages, and ipfixDump reads them."""
    kills = signal.SIGKILL

    def __init__(self, folder):
        self.port, self.file = free_port(), folder / "messages.ipfix"
        dumped(self.file)
        self.process = Process(folder, sys.executable, str(ROOT / "tests/receivers/ipfix_collector.py"), "tcp",
                               str(self.port), str(self.file))

    def start(self):
        self.process.start()
        wait_until("the collector listens", lambda: listens(self.port))

    def stop(self, how):
        self.process.stop(how)

    def sink(self):
        return f'type = "ipfix"\naddress = "127.0.0.1:{self.port}"\nprotocol = "tcp"\nobservation_domain = 7\n'

    def received(self):
        return collections.Counter(int(record["flowId"]) for record in dumped(self.file)[1] if "flowId" in record)

    def also(self, feed):
        """[IPFIX-14] Another gateway's records are told apart; the range of a block is where RFC 8158 has it."""
        other = self.sink().replace("observation_domain = 7", "observation_domain = 8")
        done = feed(other, "--events", "100", name="other")
        assert done.returncode == 0, done.stdout
        messages, records = dumped(self.file)
        by_domain = collections.Counter(record["domain"] for record in records if "flowId" in record)
        print("records by observation domain:", dict(by_domain), "messages:", len(messages))
        assert by_domain[8] == 100 and set(by_domain) == {7, 8}, by_domain
        first = next(record for record in records if record.get("flowId") == "0")
        assert (first["natEvent"], first["sourceIPv4Address"], first["postNATSourceIPv4Address"]) == \
            ("16", "100.64.0.0", "203.0.113.0"), first
        assert (first["portRangeStart"], first["portRangeEnd"]) == ("1024", "1535"), first


RECEIVERS = {"rsyslog_tls": RsyslogTls, "syslog_ng": SyslogNg, "http": Http, "ipfix_tcp": IpfixTcp}


def write_config(folder, sink, name="config"):
    path = folder / f"{name}.toml"
    path.write_text(f'[paths]\nstate = "{folder}/state-{name}"\n[[event_sink]]\n{sink}', encoding="utf-8")
    return path


class Feeder:
    """bin/feed_sinks, killed and started again where the last one's keeping ends."""

    def __init__(self, binary, config):
        self.binary, self.config, self.process, self.kept = binary, config, None, 0
        self.lines, self.reader = [], None

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, self.config, "--first", str(self.kept), "--events", str(EVENTS - self.kept), "--rate",
             str(RATE), "--patience", "60"], stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if line.startswith("kept "):
                self.kept = int(line.split()[1])
            else:
                self.lines.append(line.rstrip())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def wait(self):
        status = self.process.wait(timeout=90)
        self.reader.join()
        print("\n".join(self.lines))
        return status


def killed_and_restarted(receiver, feeder):
    """Two deaths of the receiver, one of the agent, all under load."""
    receiver.start()
    feeder.start()
    time.sleep(1.2)
    receiver.stop(receiver.kills)
    time.sleep(0.7)
    receiver.start()
    time.sleep(0.8)
    feeder.kill()
    print("agent killed; events up to", feeder.kept, "were in its keeping")
    feeder.start()
    time.sleep(0.8)
    receiver.stop(receiver.kills)
    time.sleep(0.5)
    receiver.start()
    assert feeder.wait() == 0, "not everything was delivered in time"


def check_complete(received):
    missing = [seq for seq in range(EVENTS) if seq not in received]
    copies = sum(received.values()) - len(received)
    print(f"received {len(received)} of {EVENTS}, {copies} copies")
    assert not missing, f"{len(missing)} events are missing, the first: {missing[:5]}"
    assert max(received) < EVENTS, "an event was invented"


def run_receiver(name, binary, folder):
    receiver = RECEIVERS[name](folder)
    feeder = Feeder(binary, write_config(folder, receiver.sink()))

    def feed(sink, *arguments, name):
        return subprocess.run([binary, write_config(folder, sink, name), *arguments], capture_output=True, text=True,
                              check=False)
    try:
        killed_and_restarted(receiver, feeder)
        until = time.monotonic() + 5  # for the receiver to write what it took
        while len(receiver.received()) < EVENTS and time.monotonic() < until:
            time.sleep(0.1)
        check_complete(receiver.received())
        receiver.also(feed)
    finally:
        if feeder.process and feeder.process.poll() is None:
            feeder.kill()
        receiver.stop(signal.SIGTERM)


def run_nfcapd(binary, folder):
    """nfcapd takes the UDP stream, nfdump must read in it what we sent."""
    for program in ("nfcapd", "nfdump"):
        if not shutil.which(program):
            raise Missing(program)
    port, store = free_port(socket.SOCK_DGRAM), folder / "flows"
    store.mkdir()
    process = Process(folder, "nfcapd", "-p", str(port), "-w", str(store), "-b", "127.0.0.1", "-t", "60")
    process.start()
    try:
        time.sleep(1)
        config = write_config(folder, f'type = "ipfix"\naddress = "127.0.0.1:{port}"\nobservation_domain = 7\n')
        subprocess.run([binary, config, "--events", "4000", "--rate", "4000"], check=True, capture_output=True)
        time.sleep(1)
    finally:
        process.stop(signal.SIGTERM)
    heard = (folder / "receiver.log").read_text(encoding="utf-8")
    assert "Bad Packets: 0" in heard and "Observation domain 7" in heard, heard
    read = subprocess.run(["nfdump", "-R", store, "-o", "json"], capture_output=True, text=True, check=True)
    check_flows(json.loads(read.stdout))


def check_flows(flows):
    by_event = collections.Counter(flow.get("nat_event") for flow in flows)
    print("nfdump reads", len(flows), "records:", dict(by_event))
    assert by_event == {"Port block allocation": 1000, "NAT44 BIB create": 1000, "NAT44 BIB delete": 1000,
                        "Port block de-allocation": 1000}, by_event
    block, created = flows[0], flows[1]
    assert (block["src4_addr"], block["src_mask"], block["src4_xlt_ip"]) == ("100.64.0.0", 32, "203.0.113.0"), block
    assert (created["src4_addr"], created["src_port"], created["proto"]) == ("100.64.0.1", 5000, 6), created
    assert (created["src4_xlt_ip"], created["src_xlt_port"]) == ("203.0.113.1", "1025"), created
    # The range of a block (IE 361, 362) is not among what nfdump 1.7.1 keeps of IPFIX: forms_test.cpp reads it.


def takes_datagrams(port):
    """Whether a process of ours has the UDP port."""
    return f"0100007F:{port:04X} " in pathlib.Path("/proc/net/udp").read_text(encoding="ascii")


def run_nfcapd_killed(binary, folder):
    """nfcapd is killed with SIGKILL under load, which costs what it had in memory, and started again. UDP confirms
    nothing; but a machine that is there says that nobody listens, so at most what was on its way is lost, and the next
    nfcapd gets the templates before all else: it reads everything from then on."""
    for program in ("nfcapd", "nfdump"):
        if not shutil.which(program):
            raise Missing(program)
    port, stores = free_port(socket.SOCK_DGRAM), [folder / "first", folder / "second"]
    feeder = Feeder(binary, write_config(folder, f'type = "ipfix"\naddress = "127.0.0.1:{port}"\n'))
    process = None

    def start(store):
        store.mkdir()
        started = Process(folder, "nfcapd", "-p", str(port), "-w", str(store), "-b", "127.0.0.1", "-t", "60", "-B",
                          "8000000")
        started.start()
        wait_until("nfcapd takes datagrams", lambda: takes_datagrams(port))
        return started
    try:
        process = start(stores[0])
        feeder.start()
        time.sleep(1.2)
        kept_at_kill = feeder.kept
        process.stop(signal.SIGKILL)
        time.sleep(0.7)
        kept_at_start = feeder.kept
        process = start(stores[1])
        assert feeder.wait() == 0
        time.sleep(1)
    finally:
        if process:
            process.stop(signal.SIGTERM)
        if feeder.process and feeder.process.poll() is None:
            feeder.kill()
    read = subprocess.run(["nfdump", "-R", stores[1], "-o", "json"], capture_output=True, text=True, check=True)
    assert "NAT44 BIB" in read.stdout, "the second nfcapd could not read what it got"
    # The external port of a mapping tells its seq: feed.cpp.
    seqs = sorted(int(flow["src_xlt_port"]) - 1024 for flow in json.loads(read.stdout) if "BIB" in flow["nat_event"])
    expected = [seq for seq in range(seqs[0], EVENTS) if seq % 4 in (1, 2)]
    print(f"killed after {kept_at_kill} events, there again after {kept_at_start}; the second nfcapd has all from "
          f"{seqs[0]}")
    assert seqs == expected, "what came after the restart is not whole"
    batch = 500  # feed.cpp's
    assert seqs[0] <= kept_at_kill + 3 * batch < kept_at_start, "more was lost than what was on its way"


def run_ipfix_udp(binary, folder):
    """Over UDP nothing is confirmed: of ten datagrams one is lost on the way, and the sequence numbers of the others say
    how many records were in those, as the holes in flowId say which."""
    port, file = free_port(socket.SOCK_DGRAM), folder / "messages.ipfix"
    process = Process(folder, sys.executable, str(ROOT / "tests/receivers/ipfix_collector.py"), "udp", str(port),
                      str(file), "--drop-every", "10")
    dumped(file)
    process.start()
    try:
        wait_until("the collector takes datagrams", lambda: takes_datagrams(port))
        config = write_config(folder, f'type = "ipfix"\naddress = "127.0.0.1:{port}"\n')
        subprocess.run([binary, config, "--events", "4000", "--rate", "4000"], check=True, capture_output=True)
        time.sleep(0.5)
    finally:
        process.stop(signal.SIGTERM)
    messages, records = dumped(file)
    told_missing, due = 0, 0
    for message in messages:
        told_missing += message["sequence"] - due
        due = message["sequence"] + message["records"]
    last = max(int(record["flowId"]) for record in records if "flowId" in record)
    missing = last + 1 - sum("flowId" in record for record in records)
    print(f"{len(messages)} messages came; {missing} events did not, and the sequence numbers miss {told_missing}")
    assert missing > 100 and told_missing == missing, "a loss that nobody could see"


def run_logrotate(binary, folder):
    """deploy/logrotate/apnat, its paths changed and the signal sent to the feeder: every line is in one of the files."""
    if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
        raise Missing("logrotate")
    feeder = Feeder(binary, write_config(folder, f'type = "file"\npath = "{folder}/events.jsonl"\n'))
    feeder.start()
    sample = (ROOT / "deploy/logrotate/apnat").read_text(encoding="utf-8").replace("/var/log/apnat", str(folder))
    sample = re.sub("systemctl .*", f"kill -HUP {feeder.process.pid}", sample).replace("root apnat", "root root")
    sample = re.sub("    (delay)?compress\n", "", sample)
    (folder / "logrotate.conf").write_text(sample, encoding="utf-8")
    (folder / "logrotate.conf").chmod(0o644)
    try:
        for _ in range(4):
            time.sleep(0.8)
            subprocess.run(["/usr/sbin/logrotate", "--force", "--state", folder / "state", folder / "logrotate.conf"],
                           check=True)
        assert feeder.wait() == 0
    finally:
        if feeder.process.poll() is None:
            feeder.kill()
    files = sorted(folder.glob("events.jsonl*"))
    received = sum((seqs_of_lines(path) for path in files), collections.Counter())
    check_complete(received)
    assert len(files) == 5 and sum(received.values()) == EVENTS, files


OTHERS = {"nfcapd": run_nfcapd, "nfcapd_killed": run_nfcapd_killed, "ipfix_udp": run_ipfix_udp,
          "logrotate": run_logrotate}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("receiver", choices=[*RECEIVERS, *OTHERS])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    with tempfile.TemporaryDirectory(prefix="apnat-receiver-") as name:
        folder = pathlib.Path(name)
        try:
            if options.receiver in OTHERS:
                OTHERS[options.receiver](options.bin / "feed_sinks", folder)
            else:
                run_receiver(options.receiver, options.bin / "feed_sinks", folder)
        except Missing as missing:
            print(f"skipped: not on this machine: {missing}")
            return 77
        except BaseException:
            if (folder / "receiver.log").exists():
                print((folder / "receiver.log").read_text(encoding="utf-8", errors="replace")[-3000:])
            raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
