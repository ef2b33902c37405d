"""The spool: what a live feed said, on disk within a second, one file per stretch of recording, until it is sealed.

Knows frames, checksums and locks. What the events of a file come to belongs in ``stretches.py``, where they go in
``sealing.py``, when a file is begun and ended in ``live_feed.py``.
"""

import contextlib
import fcntl
import os
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from orchestration.files import sync
from orchestration.lake import Page, stamp

MAGIC = b"shiftbook spool 1\n"
SUFFIX = ".spool"
_FRAME = struct.Struct("<II")  # length and CRC-32 of what follows


class Began(msgspec.Struct, array_like=True, tag="began", frozen=True):
    """First in every file: whose it is, and what the file before it left going on at ``at``.

    ``watching`` tells whether a stretch goes on; otherwise nobody was looking since ``at``, for ``reason``, if known.
    """

    vendor: str
    source: str
    feed: str
    at: datetime
    watching: bool
    reason: str | None = None


class Watching(msgspec.Struct, array_like=True, tag="watching", frozen=True):
    """A stretch began; the arguments of :meth:`assets.live.Sink.watching`."""

    since: datetime
    vendor_time: datetime | None = None


class Said(msgspec.Struct, array_like=True, tag="said", frozen=True, gc=False):
    """A message as received: the fields of a :class:`orchestration.lake.Page`."""

    requested_at: datetime
    received_at: datetime
    request: str
    status: int
    content_type: str | None
    payload: bytes

    @classmethod
    def of(cls, page: Page) -> Self:
        """The same message as an event."""
        return cls(page.requested_at, page.received_at, page.request, page.status, page.content_type, page.payload)

    def page(self) -> Page:
        """The same message as a page."""
        return Page(self.requested_at, self.received_at, self.request, self.status, self.content_type, self.payload)


class Alive(msgspec.Struct, array_like=True, tag="alive", frozen=True):
    """Nothing was missed up to ``until``; the arguments of :meth:`assets.live.Sink.alive`."""

    until: datetime
    vendor_time: datetime | None = None


class Lost(msgspec.Struct, array_like=True, tag="lost", frozen=True):
    """The stretch ended; the arguments of :meth:`assets.live.Sink.lost`."""

    at: datetime
    reason: str


class Ended(msgspec.Struct, array_like=True, tag="ended", frozen=True):
    """Last in a file that was ended on purpose, at this moment of our clock; a killed recorder's file has none."""

    at: datetime


Event = Watching | Said | Alive | Lost | Ended
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Began | Watching | Said | Alive | Lost | Ended)


@dataclass(frozen=True, slots=True)
class Spooled:
    """What a spool file holds: its beginning, its events in order, and the bytes at its end that cannot be read."""

    began: Began
    events: tuple[Event, ...]
    torn: bytes = b""


class UnreadableSpoolError(ValueError):
    """A file whose very beginning cannot be read, so that nobody knows whose it is."""


def frame(event: Began | Event) -> bytes:
    """An event as it stands in a file: length and CRC-32, little-endian, 4 bytes each, then MessagePack."""
    body = _ENCODER.encode(event)
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def read(data: bytes) -> Spooled:
    """The content of a file, up to the first frame that is not whole: a power cut may tear or blot the end.

    Raises:
        UnreadableSpoolError: Not even the first frame can be read.
    """
    frames = list(_frames(data))
    events = [event for event, _ in frames]
    if not events or not isinstance(events[0], Began):
        raise UnreadableSpoolError("it does not begin as a spool file does")
    rest = tuple(event for event in events[1:] if not isinstance(event, Began))
    return Spooled(events[0], rest, data[frames[-1][1] :])


def _frames(data: bytes) -> Iterator[tuple[Began | Event, int]]:
    """Each whole frame's event, and where the frame ends."""
    if not data.startswith(MAGIC):
        return
    view, start = memoryview(data), len(MAGIC)
    while start + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(view, start)
        body = view[start + _FRAME.size : start + _FRAME.size + length]
        if length == 0 or len(body) < length or zlib.crc32(body) != checksum:
            return
        try:
            event = _DECODER.decode(body)
        except msgspec.MsgspecError:
            return
        start += _FRAME.size + length
        yield event, start


class SpoolFile:
    """A file that is being written, locked as long as this process has it: an unlocked one has lost its recorder.

    Args:
        folder: Where the files of this feed lie; made if need be.
        began: Its first event.

    Attributes:
        path: The file.
        size: Bytes that are safely on disk.
    """

    def __init__(self, folder: Path, began: Began) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{stamp(datetime.now(UTC))}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        self.size = 0
        # Locked under a name that nobody looks for, so that nobody takes it for an orphan before it is.
        hidden = self.path.with_suffix(".new")
        self._handle = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        try:
            self.append(MAGIC + frame(began))
            hidden.rename(self.path)
            sync(folder)
        except OSError:
            hidden.unlink(missing_ok=True)
            self.close()
            raise

    def append(self, data: bytes) -> None:
        """Write frames and have the disk keep them; all or nothing.

        Raises:
            OSError: The disk is full or broken; nothing of it was kept, so that it can be written again.
        """
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fdatasync(self._handle)
        except OSError:
            # Half a frame would hide all that is written behind it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self.size)
                os.lseek(self._handle, self.size, os.SEEK_SET)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Let go of the file; unless it was removed before, it is an orphan from now on."""
        os.close(self._handle)


@contextlib.contextmanager
def adopted(path: Path) -> Iterator[bool]:
    """Hold a spool file that lost its recorder; False when it is somebody's, or no longer there."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.fstat(handle).st_nlink > 0
    except BlockingIOError:
        ours = False
    try:
        yield ours
    finally:
        os.close(handle)
