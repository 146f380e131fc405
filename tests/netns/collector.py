#!/usr/bin/env python3
"""collector.py SOCKET FILE: a receiver of events on a unix socket; every line goes to FILE at once."""
import socket
import sys
import pathlib

pathlib.Path(sys.argv[1]).unlink(missing_ok=True)
with socket.socket(socket.AF_UNIX) as listener, open(sys.argv[2], "ab", buffering=0) as file:
    listener.bind(sys.argv[1])
    listener.listen()
    while True:
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(65536):
                file.write(data)
