"""Answers that take long to find and depend on nothing but the question, kept between processes.

Losing them costs time and nothing else; what must not be lost belongs in ``lake.py``.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

_Answer = TypeVar("_Answer")
_DAY_SECONDS = 86_400.0


class Cache:
    """JSON files in one folder, each named by its question. Any number of processes may hold one at once.

    Args:
        folder: Where they lie; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, kind: type[_Answer], question: str, find: Callable[[], _Answer]) -> _Answer:
        """The answer found before, or else by ``find``. The question must name all that the answer depends on."""
        if self._folder is None:
            return find()
        path = self._folder / f"{hashlib.sha256(question.encode()).hexdigest()}.json"
        with suppress(OSError, msgspec.MsgspecError):
            answer = msgspec.json.decode(path.read_bytes(), type=kind)
            self._used(path)
            return answer
        answer = find()
        with suppress(OSError):  # a full disk, or one that may not be written to, is told of by what must be kept
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{uuid.uuid4().hex}")
            temporary.write_bytes(msgspec.json.encode(answer))
            temporary.replace(path)
        return answer

    def tidy(self, days: int) -> list[Path]:
        """Remove answers that nobody wanted for so many days; returns them."""
        limit = time.time() - days * _DAY_SECONDS
        folder = self._folder
        gone = [p for p in folder.iterdir() if p.stat().st_mtime < limit] if folder and folder.is_dir() else []
        for path in gone:
            path.unlink(missing_ok=True)
        return gone

    @staticmethod
    def _used(path: Path) -> None:
        """Note that an answer is still wanted, at most once a day."""
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _DAY_SECONDS:
                os.utime(path)
