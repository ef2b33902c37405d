"""How each feed stands with the recorder: a small file a feed, written while it is recorded, for whoever asks.

The log of attempts is written when something is over; a connection that is being waited for, and a stretch that is
still in the spool, are known to the recorder alone. What is made of it belongs in ``health.py``.
"""

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

LOGGER = logging.getLogger(__name__)
_FOLDER = ".standing"
# A recorder tells every two seconds; one that has not told for so long is gone, or has no time for anything.
_FRESH = timedelta(seconds=15)


class Standing(msgspec.Struct, frozen=True):
    """What a recorder knew of a feed at one moment of our clock.

    Attributes:
        told_at: That moment.
        observed_until: The latest instant observed in the stretch that goes on; None while none does.
        trouble: Why nothing is recorded; None when something is, or may be in a moment.
    """

    told_at: datetime
    observed_until: datetime | None = None
    trouble: str | None = None


def tell(spool: Path, name: str, standing: Standing, *, yields: bool = False) -> None:
    """Write how a feed (``source/feed``) stands; what cannot be written is logged, and told the next time.

    Who does not know whether another one records it ``yields`` to a fresh word of such a one.
    """
    path = _path(spool, name)
    hidden = path.with_suffix(f".{os.getpid()}")
    try:
        if yields and (known := heard(spool, name)) and known.trouble is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(msgspec.json.encode(standing))
        hidden.replace(path)
    except OSError as error:
        LOGGER.debug("%s: how it stands cannot be written: %s", name, error)


def half_told(spool: Path) -> list[Path]:
    """What recorders were writing when they were killed."""
    return [path for path in (spool / _FOLDER).rglob("*") if path.is_file() and path.suffix[1:].isdigit()]


def heard(spool: Path, name: str, now: datetime | None = None) -> Standing | None:
    """How a feed (``source/feed``) stands; None when no recorder has told lately."""
    try:
        standing = msgspec.json.decode(_path(spool, name).read_bytes(), type=Standing)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return standing if (now or datetime.now(UTC)) - standing.told_at <= _FRESH else None


def _path(spool: Path, name: str) -> Path:
    return spool / _FOLDER / f"{name.replace('/', '-')}.json"
