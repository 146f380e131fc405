#!/usr/bin/env python3
"""ipfix_collector.py tcp|udp PORT FILE [--drop-every N]: appends IPFIX messages to a file, which is then a file as
RFC 5655 has it, for ipfixDump to read. It knows of a message only how long it is. One write for each, so that a kill
leaves whole messages. --drop-every: of so many datagrams one never arrived."""
import argparse
import socket
import threading
import time


def whole_messages(buffer):
    """Messages at the buffer's head, and what is left of it."""
    messages = []
    while len(buffer) >= 4 and len(buffer) >= (length := int.from_bytes(buffer[2:4], "big")) >= 16:
        messages.append(buffer[:length])
        buffer = buffer[length:]
    return messages, buffer


def collect_connection(connection, file):
    """Slower than they come: what the kernel took is then not what we have, and dies with us. The other side has ended
    its half once it wants to know that we have read all of it."""
    with connection:
        buffer = b""
        while received := connection.recv(16384):
            messages, buffer = whole_messages(buffer + received)
            for message in messages:
                file.write(message)
            time.sleep(0.03)


def collect_tcp(port, file):
    listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=collect_connection, args=(connection, file), daemon=True).start()


def collect_udp(port, file, drop_every):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        collector.bind(("127.0.0.1", port))
        number = 0
        while True:
            message = collector.recv(65536)
            number += 1
            if not drop_every or number % drop_every:
                file.write(message)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["tcp", "udp"])
    parser.add_argument("port", type=int)
    parser.add_argument("file")
    parser.add_argument("--drop-every", type=int, default=0)
    options = parser.parse_args()
    with open(options.file, "ab", buffering=0) as file:
        if options.kind == "tcp":
            collect_tcp(options.port, file)
        else:
            collect_udp(options.port, file, options.drop_every)


if __name__ == "__main__":
    main()
