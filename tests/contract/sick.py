"""Servers that answer without end, with gzip that unpacks to gigabytes, or byte by byte. No expectations here."""

import contextlib
import gzip
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Wed, 04 Mar 2026 12:00:00 GMT\r\n"
MEGABYTE = 1 << 20
Talk = Callable[[socket.socket], None]


def endless(connection: socket.socket) -> None:
    """Send a body that has no end."""
    connection.sendall(HEAD + b"\r\n")
    while True:
        connection.sendall(b" " * MEGABYTE)


def bomb(megabytes: int) -> Talk:
    """Send zeroes that were packed a thousandfold."""
    packed = gzip.compress(b"\0" * MEGABYTE, 9) * megabytes

    def talk(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)

    return talk


def dripping(body: bytes, *, headers: bool = False, pause: float = 0.02) -> Talk:
    """Send a sound answer a byte at a time, or only its headers so."""

    def talk(connection: socket.socket) -> None:
        head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
        if not headers:
            connection.sendall(head)
        for sign in (head if headers else b"") + body:
            connection.sendall(bytes([sign]))
            time.sleep(pause)

    return talk


@contextmanager
def sick(talk: Talk) -> Iterator[str]:
    """The address of a server that answers each request so."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(MEGABYTE)
            with contextlib.suppress(OSError):  # whoever asked has hung up
                talk(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
