#!/usr/bin/env python3
"""ids_seen.py CAPTURE SECONDS - IPv4 IDs in a capture (pcap, Ethernet): how many non-atomic datagrams there are (DF=0, or
in fragments), and how many of them carry an ID that the same source, destination and protocol used less than SECONDS
before. Prints `DATAGRAMS FRAGMENTED REPEATED MOST_A_SECOND` - the last of one source, destination and protocol."""
import collections
import struct
import sys


def packets(path):
    with open(path, "rb") as file:
        data = file.read()
    order, unit = {b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\x4d\x3c\xb2\xa1": ("<", 1e-9)}[data[:4]]
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, kept, _ = struct.unpack_from(order + "IIII", data, at)
        yield seconds + fraction * unit, data[at + 16:at + 16 + kept]
        at += 16 + kept


def main():
    path, lifetime = sys.argv[1], float(sys.argv[2])
    last, rates = {}, collections.Counter()
    datagrams = fragmented = repeated = 0
    for when, frame in packets(path):
        if frame[12:14] != b"\x08\x00":
            continue
        ident, field = struct.unpack_from("!HH", frame, 18)
        is_atomic = field & 0x4000 and not field & 0x3fff
        if is_atomic or field & 0x1fff:
            continue  # a later fragment belongs to the datagram of the first
        tuple_of = frame[23:24] + frame[26:34]
        datagrams += 1
        fragmented += bool(field & 0x2000)
        rates[tuple_of, int(when)] += 1
        key = tuple_of + struct.pack("!H", ident)
        repeated += key in last and when - last[key] < lifetime
        last[key] = when
    print(datagrams, fragmented, repeated, max(rates.values(), default=0))


main()
