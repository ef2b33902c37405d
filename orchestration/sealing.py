"""Seals spool files: their stretches become raw segments and logged attempts, then the file goes.

Also those of a recorder that was killed, here or elsewhere. How stretches are found belongs in ``stretches.py``.
"""

import logging
from functools import partial
from pathlib import Path

from orchestration.lake import Attempt, Lake, Segment
from orchestration.spool import SUFFIX, Spooled, UnreadableSpoolError, adopted, read
from orchestration.stretches import Piece, drift_seconds, pieces

LOGGER = logging.getLogger(__name__)
TORN = ".torn"


def seal(lake: Lake, path: Path) -> list[Attempt]:
    """Land what a spool file holds, log it, and remove the file; for the one who holds its lock.

    Doing it again after a crash in its midst changes nothing: segments are named by what they hold, and attempts that
    were logged are not logged twice. What cannot be read is kept beside it, in a file that ends in ``.torn``.

    Returns:
        The attempts: one per watched stretch and per gap.

    Raises:
        OSError: The disk is full or broken; the file is still there.
        UnreadableSpoolError: Not even its beginning can be read; it was set aside.
    """
    try:
        spooled = read(path.read_bytes())
    except UnreadableSpoolError as error:
        path.rename(path.with_suffix(TORN))
        raise UnreadableSpoolError(f"{path}: {error}; it is kept as {path.with_suffix(TORN).name}") from None
    if spooled.torn:
        lake.place(path.with_suffix(TORN), partial(Path.write_bytes, data=spooled.torn))
        LOGGER.warning("%s: the last %d bytes cannot be read and are kept beside it", path, len(spooled.torn))
    attempts = [_landed(lake, spooled, piece) for piece in pieces(spooled)]
    began = spooled.began
    if attempts:
        lake.log_again(began.vendor, attempts, live=True)
    drift = drift_seconds(spooled.events)
    if drift is not None:
        lake.note_drift(began.vendor, began.feed, began.source, drift)
    path.unlink()
    return attempts


def recover(lake: Lake, folder: Path) -> list[Attempt]:
    """Seal every file below a folder that lost its recorder; those that a living one writes are left alone.

    Raises:
        Exception: What kept a file from being sealed, as a full disk, or a damaged log of its feed; it is still there.
    """
    attempts: list[Attempt] = []
    failed: Exception | None = None
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        try:
            attempts += _recovered(lake, path)
        except Exception as error:  # noqa: BLE001 - raised below, when the others are sealed
            error.add_note(f"{path} cannot be sealed yet")
            failed = error
    if failed is not None:
        raise failed
    return attempts


def _recovered(lake: Lake, path: Path) -> list[Attempt]:
    with adopted(path) as ours:
        if not ours:
            return []
        try:
            return seal(lake, path)
        except UnreadableSpoolError as error:
            LOGGER.warning("%s", error)
            return []


def _landed(lake: Lake, spooled: Spooled, piece: Piece) -> Attempt:
    """A piece's attempt; its pages, if any, are in the lake.

    Windows are by our clock, and nothing of them can be had later: the attempt is dated, on either clock, to its end.
    """
    began = spooled.began
    segment = lake.spared(Segment(began.vendor, began.source, began.feed, piece.start, piece.end, piece.pages))
    if piece.pages:
        lake.land(segment)
    return Attempt(
        source=began.source,
        feed=began.feed,
        window_start=piece.start,
        window_end=piece.end,
        attempted_at=piece.end,
        status="ok" if piece.reason is None else "failed",
        records=len(piece.pages),
        vendor_time=piece.end,
        error=piece.reason,
        segment=segment.name if piece.pages else None,
    )
