"""Bodies of answers as they arrive: unpacked on the way, and never more of them in memory than a limit.

A reply of a few bytes may unpack to gigabytes, and one that never ends fills any memory, of a process that other
sources share. Knows content codings; who receives what, and what is made of it, belongs in ``http.py`` and the clients.
"""

import zlib

ACCEPTED = "gzip, deflate"
"""What may be sent as ``Accept-Encoding``: the codings that are unpacked here."""

MEGABYTE = 1 << 20
MOST_UNPACKED = 512 * MEGABYTE
"""Of a packed file that was kept as it came. A thousandth is usual; no JSON parser would take 4 GB in one piece."""

CHUNK = 1 << 18
"""How much is asked of a connection at once, in bytes."""

_GZIP = zlib.MAX_WBITS | 16
_PLAIN = frozenset({"", "identity"})
_KNOWN = _PLAIN | {"gzip", "x-gzip", "deflate"}


class BodyError(Exception):
    """A body that cannot be taken in: its coding is broken or was not asked for."""


class TooLargeError(BodyError):
    """A body with more than the limit; nothing of the rest was received or unpacked.

    Attributes:
        head: What came before.
    """

    def __init__(self, largest: int, head: bytes) -> None:
        super().__init__(f"more than {largest / MEGABYTE:.4g} MiB")
        self.head = head


class Body:
    """One body, piece by piece.

    Args:
        coding: The answer's ``Content-Encoding``.
        largest: How many bytes it may have, unpacked.
    """

    def __init__(self, coding: str | None, largest: int) -> None:
        self._coding = (coding or "").strip().lower()
        self._largest = largest
        self._pieces: list[bytes] = []
        self._left = largest
        self._unzip: zlib._Decompress | None = None
        if self._coding not in _KNOWN:
            raise BodyError(f"the coding {self._coding[:40]!r} was not asked for")

    def feed(self, data: bytes) -> None:
        """Take in what came next.

        Raises:
            TooLargeError: That is more than the limit.
            BodyError: The coding is broken.
        """
        if self._coding in _PLAIN:
            self._keep(data)
            return
        try:
            while data:
                data = self._unpack(data)
        except zlib.error as error:
            raise BodyError(f"broken {self._coding}: {error}") from None

    def whole(self) -> bytes:
        """The body, when all of it came.

        Raises:
            BodyError: It ends too early.
        """
        if self._unzip is not None and not self._unzip.eof:
            raise BodyError(f"{self._coding} that ends too early")
        return b"".join(self._pieces)

    def _unpack(self, data: bytes) -> bytes:
        """Unpack no more than what is left of the limit, and a byte; what is not used up yet."""
        if self._unzip is None or self._unzip.eof:
            # A body may be several that were packed apart; anything else behind one is padding.
            if self._unzip is not None and (self._coding == "deflate" or not data.startswith(b"\x1f")):
                return b""
            self._unzip = zlib.decompressobj(wbits=self._window(data))
        self._keep(self._unzip.decompress(data, self._left + 1))
        return self._unzip.unconsumed_tail or self._unzip.unused_data

    def _window(self, data: bytes) -> int:
        """``deflate`` is meant to have a head, whose low half byte is 8 (RFC 1950); some send it bare."""
        if self._coding != "deflate":
            return _GZIP
        return zlib.MAX_WBITS if data[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS

    def _keep(self, piece: bytes) -> None:
        if len(piece) > self._left:
            raise TooLargeError(self._largest, b"".join([*self._pieces, piece[: self._left]]))
        self._pieces.append(piece)
        self._left -= len(piece)


def gunzip(packed: bytes, largest: int = MOST_UNPACKED) -> bytes:
    """Unpack a file.

    Raises:
        TooLargeError: More than so many bytes come out of it.
        BodyError: It is broken, or ends too early.
    """
    body = Body("gzip", largest)
    body.feed(packed)
    return body.whole()
