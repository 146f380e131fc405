#!/usr/bin/env python3
"""ids_seen.py CAPTURE SECONDS - IPv4 IDs in a capture (pcap, Ethernet), one `name=number` a line:

  whole                non-atomic datagrams (DF=0) in one packet
  fragmented           datagrams in fragments, of which every one came, in order, under one ID
  broken               fragments that are of none of those
  atomic               packets that are neither (DF=1, whole)
  repeated             of the first two: with an ID that one with the same source, destination and protocol had less than
                       SECONDS before
  repeated_fragmented  of those: in fragments
  most                 non-atomic datagrams of one source, destination and protocol within any SECONDS
"""
import collections
import struct
import sys

DONT_FRAGMENT, MORE, OFFSET = 0x4000, 0x2000, 0x1fff


def packets(path):
    with open(path, "rb") as file:
        data = file.read()
    order, unit = {b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\x4d\x3c\xb2\xa1": ("<", 1e-9)}[data[:4]]
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, kept, _ = struct.unpack_from(order + "IIII", data, at)
        yield seconds + fraction * unit, data[at + 16:at + 16 + kept]
        at += 16 + kept


class Seen:
    def __init__(self, lifetime):
        self.lifetime = lifetime
        self.figures = dict.fromkeys(
            ["whole", "fragmented", "broken", "atomic", "repeated", "repeated_fragmented", "most"], 0)
        self.last = {}                                    # when an ID of a tuple was used
        self.recent = collections.defaultdict(collections.deque)  # of a tuple: when datagrams came
        self.awaited = {}                                 # of a datagram in fragments: where the next one begins

    def count(self, name):
        self.figures[name] += 1

    def datagram(self, when, tuple_of, ident, fragmented):
        recent = self.recent[tuple_of]
        recent.append(when)
        while recent[0] <= when - self.lifetime:
            recent.popleft()
        self.figures["most"] = max(self.figures["most"], len(recent))
        before = self.last.get((tuple_of, ident))
        self.last[tuple_of, ident] = when
        if before is not None and when - before < self.lifetime:
            self.count("repeated")
            self.figures["repeated_fragmented"] += fragmented

    def packet(self, when, ip):
        total, ident, field = struct.unpack_from("!HHH", ip, 2)
        tuple_of = ip[9:10] + ip[12:20]
        if not field & (MORE | OFFSET):
            if field & DONT_FRAGMENT:
                return self.count("atomic")
            self.count("whole")
            return self.datagram(when, tuple_of, ident, False)
        at, end = (field & OFFSET) * 8, (field & OFFSET) * 8 + total - (ip[0] & 15) * 4
        if at == 0:
            self.figures["broken"] += (tuple_of, ident) in self.awaited
            self.datagram(when, tuple_of, ident, True)
        elif self.awaited.get((tuple_of, ident)) != at:
            return self.count("broken")
        if field & MORE:
            self.awaited[tuple_of, ident] = end
        else:
            del self.awaited[tuple_of, ident]
            self.count("fragmented")

    def end(self):
        self.figures["broken"] += len(self.awaited)
        return self.figures


def main():
    seen = Seen(float(sys.argv[2]))
    for when, frame in packets(sys.argv[1]):
        if frame[12:14] == b"\x08\x00":
            seen.packet(when, frame[14:])
    for name, figure in seen.end().items():
        print(f"{name}={figure}")


main()
