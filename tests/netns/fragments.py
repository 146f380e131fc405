#!/usr/bin/env python3
"""fragments.py - UDP datagrams in fragments, made by hand: in what order they go, how large they are, what ID they have.

  serve PORT [--order ORDER --mtu N]   echoes each datagram, printing who sent it; with --order its answers are made by
                                       hand too
  exchange ADDRESS PORT ...            sends datagrams and compares the echoes, of that address and port alone; prints
                                       `N of M echoed`
  flood ADDRESS PORT ...               sends and does not wait
  garbage ADDRESS PORT ...             first fragments of datagrams that never become whole
"""
import argparse
import ipaddress
import os
import random
import socket
import struct
import time

ORDERS = {"forward": lambda pieces: pieces, "reverse": lambda pieces: pieces[::-1],
          "shuffled": lambda pieces: random.sample(pieces, len(pieces))}
DONT_FRAGMENT = 0x4000
MORE = 0x2000
SHORTEST_SLEEP = 0.001  # seconds
MOST_BEHIND = 0.02  # seconds: who was held up for longer does not make up for it in a burst


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(source, destination, payload):
    """The UDP datagram, its checksum right."""
    length = 8 + len(payload)
    header = struct.pack("!HHHH", source[1], destination[1], length, 0)
    pseudo = socket.inet_aton(source[0]) + socket.inet_aton(destination[0]) + struct.pack("!BBH", 0, 17, length)
    total = checksum(pseudo + header + payload) or 0xffff
    return header[:6] + struct.pack("!H", total) + payload


def pieces_of(source, destination, payload, mtu, ident, flags=0):
    """IPv4 packets that together are one UDP datagram. The kernel fills in the header checksum, and an ID that is 0:
    each fragment would get another."""
    body = udp(source, destination, payload)
    step = (mtu - 20) // 8 * 8
    packets = []
    for at in range(0, len(body), step):
        part = body[at:at + step]
        field = flags | (MORE if at + step < len(body) else 0) | at // 8
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(part), ident, field, 64, 17, 0,
                             socket.inet_aton(source[0]), socket.inet_aton(destination[0]))
        packets.append(header + part)
    return packets


class ByHand:
    def __init__(self):
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, packets, destination):
        for packet in packets:
            self.raw.sendto(packet, (destination[0], 0))


def own_address(destination):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((destination, 9))
        return probe.getsockname()[0]


def serve(options):
    by_hand = ByHand()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        server.bind(("0.0.0.0", options.port))
        ident = 0
        while True:
            payload, who = server.recvfrom(65535)
            print(*who, flush=True)
            if not options.order:
                server.sendto(payload, who)
                continue
            ident = ident % 65535 + 1
            me = (own_address(who[0]), options.port)
            by_hand.send(ORDERS[options.order](pieces_of(me, who, payload, options.mtu, ident)), who)


def exchange(options):
    by_hand = ByHand()
    me = (own_address(options.address), options.source_port)
    there = (options.address, options.port)
    echoed = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind(("0.0.0.0", options.source_port))
        mine.settimeout(options.wait)
        for number in range(options.count):
            payload = os.urandom(options.size)
            ident = options.id if options.id is not None else number % 65535 + 1
            pieces = ORDERS[options.order](pieces_of(me, there, payload, options.mtu, ident, options.flags))
            by_hand.send(pieces[:-1], there)
            time.sleep(options.pause)
            by_hand.send(pieces[-1:], there)
            try:
                echoed += mine.recvfrom(65535) == (payload, there)
            except OSError:
                pass
    print(f"{echoed} of {options.count} echoed")


def nth_after(address, number):
    return str(ipaddress.ip_address(address) + number)


def flood(options, whole=True):
    by_hand = ByHand()
    me = (own_address(options.address), options.source_port)
    there = (options.address, options.port)
    end = time.monotonic() + options.seconds
    payload = os.urandom(options.size)
    sent = 0
    begun = time.monotonic()
    always = ORDERS[options.order](pieces_of(me, there, payload, options.mtu, options.id or 0, options.flags))
    while time.monotonic() < end and (not options.count or sent < options.count):
        packets = always
        if options.id is None:
            ident = sent % 65535 + 1
            source = (nth_after(options.sources_from, sent), me[1]) if options.sources_from else me
            packets = ORDERS[options.order](pieces_of(source, there, payload, options.mtu, ident, options.flags))
        by_hand.send(packets if whole else packets[:1], there)
        sent += 1
        if options.rate:
            ahead = begun + sent / options.rate - time.monotonic()
            begun -= min(0, ahead + MOST_BEHIND)
            if ahead > SHORTEST_SLEEP:
                time.sleep(ahead)
    print(sent)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["serve", "exchange", "flood", "garbage"])
    parser.add_argument("where", nargs="+")
    parser.add_argument("--order", choices=ORDERS)
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--size", type=int, default=3000)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--wait", type=float, default=2)
    parser.add_argument("--pause", type=float, default=0, help="before a datagram's last piece")
    parser.add_argument("--id", type=int)
    parser.add_argument("--sources-from", help="flood: each datagram from an address of its own, this one and following")
    parser.add_argument("--df", dest="flags", action="store_const", const=DONT_FRAGMENT, default=0)
    parser.add_argument("--source-port", type=int, default=40000)
    options = parser.parse_args()
    options.port = int(options.where[-1])
    options.address = options.where[0]
    if options.what == "serve":
        return serve(options)
    options.order = options.order or "forward"
    if options.what == "exchange":
        options.count = options.count or 1
        return exchange(options)
    return flood(options, options.what == "flood")


if __name__ == "__main__":
    main()
