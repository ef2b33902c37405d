"""What a client must know of a file of the archive: how many lines it has, and whether they can be events.

Unpacked piece by piece, since a file may be 4 GB. Rows are made of it in SQL; ``archive.py`` asks for it.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from assets.beyondtrust import xml

CHUNK = 1 << 16  # unpacks to 64 MiB at most
MOST_UNPACKED = 4 << 30
"""Bytes of a file, unpacked (archive page)."""
LONGEST_LINE = 1 << 24
TIME_KEYS = ("timestamp", "time", "ts", "when", "event_time")
"""Which key carries an event's time is not established: these are looked for (``stg_beyondtrust__archive``)."""

EVENT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(slots=True)
class Measured:
    """A file that was looked through.

    Attributes:
        lines: How many lines it has.
        head: Its first bytes.
        has_text: Whether anything but white space is in it.
        is_timed: Whether a line of it is a JSON object with a key that may be a time.
        wrong: Why it cannot be unpacked.
    """

    lines: int = 0
    head: bytes = b""
    has_text: bool = False
    is_timed: bool = False
    wrong: str | None = None


def measure(body: bytes) -> Measured:
    """Look through a file, plain or gzipped."""
    found, last, rest = Measured(), b"\n", b""
    try:
        for piece in _pieces(body):
            found.head = found.head or piece[:64]
            found.lines, last = found.lines + piece.count(b"\n"), piece[-1:] or last
            found.has_text = found.has_text or (piece != b"" and not piece.isspace())
            if not found.is_timed:
                *whole, rest = (rest + piece).split(b"\n")
                rest = rest if len(rest) <= LONGEST_LINE else b""
                found.is_timed = any(map(_has_time, whole))
    except xml.UnreadableError as error:
        found.wrong = str(error)
    found.lines += last != b"\n"
    found.is_timed = found.is_timed or _has_time(rest)
    return found


def _pieces(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    if not body.startswith(xml.GZIP):
        yield from (bytes(view[at : at + CHUNK]) for at in range(0, len(body), CHUNK))
        return
    unzip, size = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), 0
    try:
        for at in range(0, len(body), CHUNK):
            piece = unzip.decompress(view[at : at + CHUNK])
            size += len(piece)
            if size > MOST_UNPACKED:
                raise xml.UnreadableError("gzip of more than 4 GB")
            yield piece
    except zlib.error as error:
        raise xml.UnreadableError(f"broken gzip: {error}") from None
    if not unzip.eof:
        raise xml.UnreadableError("gzip that ends too early")


def _has_time(line: bytes) -> bool:
    try:
        event = EVENT.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return any(bytes(event.get(key, b"null")) != b"null" for key in TIME_KEYS)
