#!/usr/bin/env python3
"""Tells who a datagram seems to come from.

who_am_i.py serve PORT
who_am_i.py ask ADDRESS PORT [--bind ADDRESS] [--source-port N] [--count N] [--timeout S]

`ask` prints one line "ADDRESS PORT" for each answer; with --count it asks from
that many sockets, and prints nothing for those that got none.
"""
import argparse
import select
import socket
import time


def serve(arguments):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    server.bind(("0.0.0.0", arguments.port))
    while True:
        _, peer = server.recvfrom(65535)
        server.sendto(f"{peer[0]} {peer[1]}".encode(), peer)


def ask(arguments):
    sockets = []
    for index in range(arguments.count):
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asker.bind((arguments.bind, arguments.source_port + index if arguments.source_port else 0))
        asker.connect((arguments.address, arguments.port))  # or ICMP errors would not be told
        asker.send(b"who am I?")
        sockets.append(asker)
        if index % 64 == 63:
            time.sleep(0.002)  # the queues on the way hold 256 packets
    deadline = time.monotonic() + arguments.timeout
    waiting = select.poll()
    by_number = {asker.fileno(): asker for asker in sockets}
    for number in by_number:
        waiting.register(number, select.POLLIN)
    while by_number and time.monotonic() < deadline:
        for number, _ in waiting.poll(100):
            waiting.unregister(number)
            try:
                print(by_number.pop(number).recv(65535).decode())
            except ConnectionError as refusal:
                print(f"error {refusal.errno}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    server = verbs.add_parser("serve")
    server.add_argument("port", type=int)
    asker = verbs.add_parser("ask")
    asker.add_argument("address")
    asker.add_argument("port", type=int)
    asker.add_argument("--bind", default="0.0.0.0")
    asker.add_argument("--source-port", type=int, default=0)
    asker.add_argument("--count", type=int, default=1)
    asker.add_argument("--timeout", type=float, default=3.0)
    arguments = parser.parse_args()
    serve(arguments) if arguments.verb == "serve" else ask(arguments)


if __name__ == "__main__":
    main()
