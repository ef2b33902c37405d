"""What ``requests`` does not do by itself: end every answer, bound every body, leave a ``.netrc`` alone, tell causes.

Knows ``requests``, urllib3 and sockets. When to ask, and what an answer means, belongs in ``http.py``.
"""

import http.client
import io
import socket
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from assets.bodies import CHUNK, Body

CONNECTIONS = 8
PATIENCE = 5.0
"""How much longer than the silence that is borne a whole answer may take: a limit of 60 s makes five minutes."""


class TooSlowError(TimeoutError):
    """An answer was not whole in time, although bytes of it kept coming."""


class NoAuth(requests.auth.AuthBase):
    """Keeps requests from sending what a ``.netrc`` of the machine happens to hold."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave a request as it is."""
        return request


class Adapter(HTTPAdapter):
    """Kept connections whose answers end in time: the limit of a request's own counts between two bytes only."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make connections with answers that end."""
        super().init_poolmanager(*args, **more)
        self._bound(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        """The same for those through a proxy."""
        return self._bound(super().proxy_manager_for(*args, **more))

    @staticmethod
    def _bound(manager: PoolManager) -> PoolManager:
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager


def read(response: requests.Response, largest: int) -> bytes:
    """The body of a response that was asked for as a stream, unpacked.

    Raises:
        TooLargeError: It has more bytes than that.
        BodyError: Its coding is broken.
    """
    body = Body(response.headers.get("Content-Encoding"), largest)
    while piece := response.raw.read(CHUNK, decode_content=False):
        body.feed(piece)
    return body.whole()


def cause(error: BaseException) -> BaseException:
    """The cause that says something: requests and urllib3 wrap it in up to three others."""
    reason = getattr(error, "reason", None)
    for inner in (reason, *error.args):
        if isinstance(inner, BaseException):
            return cause(inner)
    return error.__cause__ if isinstance(error.__cause__, TooSlowError) else error


class _Within(io.RawIOBase):
    """The bytes of a connection up to a deadline; a socket's own limit is for one look at it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._silence = sock.gettimeout()
        self._began = time.monotonic()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._silence is None:
            return self._raw.readinto(buffer)
        seconds = PATIENCE * self._silence
        left = max(0.001, self._began + seconds - time.monotonic())
        self._sock.settimeout(min(left, self._silence))
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if left < self._silence:
                raise TooSlowError(f"the answer was not whole after {seconds:g} s") from None
            raise

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(_Within(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS: Mapping[str, type[HTTPConnectionPool]] = MappingProxyType({"http": _Pool, "https": _SecurePool})
