#!/usr/bin/env python3
"""tagged.py - sends UDP in frames with VLAN tags, where the kernel has no VLAN devices.

  tagged.py INTERFACE DESTINATION-MAC --vlan ID [--vlan ID] --source A --destination A [--count N]
"""
import argparse
import socket
import struct

from fragments import checksum, udp

ETH_P_IP, ETH_P_8021Q = 0x0800, 0x8100


def datagram(source, destination):
    body = udp((source, 5000), (destination, 53), b"apnat")
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("interface")
    parser.add_argument("mac")
    parser.add_argument("--vlan", type=int, action="append", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--destination", required=True)
    parser.add_argument("--count", type=int, default=1)
    wanted = parser.parse_args()

    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((wanted.interface, 0))
    tags = b"".join(struct.pack("!HH", ETH_P_8021Q, vlan) for vlan in wanted.vlan)
    link = bytes.fromhex(wanted.mac.replace(":", "")) + wire.getsockname()[4]
    for _ in range(wanted.count):
        wire.send(link + tags + struct.pack("!H", ETH_P_IP) + datagram(wanted.source, wanted.destination))


main()
