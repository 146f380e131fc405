#!/usr/bin/env python3
"""icmp_pieces.py - ICMP errors that themselves arrive in fragments, made and read by hand.

  error ADDRESS --quote PROTOCOL SOURCE SOURCE-PORT DESTINATION DESTINATION-PORT ...
                      an error about that packet, sent to ADDRESS in fragments; for `icmp` the first port is the identifier
  hear SECONDS        one line for each error that arrives: `FROM TYPE CODE PROTOCOL SOURCE PORT DESTINATION PORT BYTES`
                      of the packet it quotes, and `wrong` behind it when a checksum or a quoted byte is
"""
import argparse
import socket
import struct
import time

from fragments import MORE, ORDERS, ByHand, checksum, own_address

PROTOCOLS = {"udp": socket.IPPROTO_UDP, "icmp": socket.IPPROTO_ICMP}
ERRORS = (3, 11, 12)


def pattern(size):
    return bytes(number * 7 % 251 for number in range(size))


def with_checksum(header, at, data=b""):
    return header[:at] + struct.pack("!H", checksum(header + data)) + header[at + 2:]


def transport(protocol, source_port, destination_port, size):
    """Of a UDP datagram without a checksum, or of an echo request."""
    if protocol == "udp":
        return struct.pack("!HHHH", source_port, destination_port, 8 + size, 0) + pattern(size)
    return with_checksum(struct.pack("!BBHHH", 8, 0, 0, source_port, 1), 2, pattern(size)) + pattern(size)


def quoted(options):
    """The whole packet that the error is about, as large as it was."""
    protocol, source, source_port, destination, destination_port = options.quote
    body = transport(protocol, int(source_port), int(destination_port), options.size)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 99, 0x4000, 60, PROTOCOLS[protocol], 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    return with_checksum(header, 10) + body


def in_pieces(source, destination, message, options):
    pieces = []
    for at in range(0, len(message), options.each):
        part = message[at:at + options.each]
        field = (MORE if at + len(part) < len(message) else 0) | at // 8
        pieces.append(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(part), options.id, field, 64, socket.IPPROTO_ICMP,
                                  0, socket.inet_aton(source), socket.inet_aton(destination)) + part)
    return pieces


def error(options):
    about = quoted(options)
    message = with_checksum(struct.pack("!BBHI", options.type, options.code, 0, options.mtu), 2, about) + about
    pieces = in_pieces(own_address(options.address), options.address, message, options)
    ByHand().send(ORDERS[options.order](pieces), (options.address, 0))
    print(f"{len(pieces)} fragments")


def is_whole(body, protocol):
    """Is every byte of the quoted packet what `transport` made?"""
    if protocol == socket.IPPROTO_ICMP and checksum(body):
        return False
    return body[8:] == pattern(len(body) - 8)


def described(packet):
    message = packet[(packet[0] & 15) * 4:]
    if len(message) < 36 or message[0] not in ERRORS:
        return None
    header, body = message[8:28], message[28:]
    source, destination = socket.inet_ntoa(header[12:16]), socket.inet_ntoa(header[16:20])
    name = {number: name for name, number in PROTOCOLS.items()}.get(header[9], header[9])
    ports = struct.unpack_from("!HH", body) if name == "udp" else (struct.unpack_from("!H", body, 4)[0], 0)
    right = not checksum(message) and not checksum(header) and is_whole(body, header[9])
    words = [socket.inet_ntoa(packet[12:16]), message[0], message[1], name, source, ports[0], destination, ports[1],
             len(body)]
    return " ".join(map(str, words if right else [*words, "wrong"]))


def hear(options):
    end = time.monotonic() + float(options.address)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ears:
        print("hearing", flush=True)
        while (left := end - time.monotonic()) > 0:
            ears.settimeout(left)
            try:
                line = described(ears.recv(65535))
            except TimeoutError:
                break
            if line:
                print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["error", "hear"])
    parser.add_argument("address", metavar="ADDRESS|SECONDS")
    parser.add_argument("--quote", nargs=5)
    parser.add_argument("--type", type=int, default=3)
    parser.add_argument("--code", type=int, default=3)
    parser.add_argument("--mtu", type=int, default=0)
    parser.add_argument("--size", type=int, default=2000, help="payload of the quoted packet")
    parser.add_argument("--each", type=int, default=552, help="bytes of the error in each fragment")
    parser.add_argument("--order", choices=ORDERS, default="forward")
    parser.add_argument("--id", type=int, default=1)
    options = parser.parse_args()
    error(options) if options.what == "error" else hear(options)


if __name__ == "__main__":
    main()
