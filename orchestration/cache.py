"""Answers that take long to find and depend on nothing but the question, kept between processes.

Losing them costs time and nothing else; what must not be lost belongs in ``lake.py``.
"""

import hashlib
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

_Answer = TypeVar("_Answer")


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
            return msgspec.json.decode(path.read_bytes(), type=kind)
        answer = find()
        with suppress(OSError):  # a full disk, or one that may not be written to, is told of by what must be kept
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{uuid.uuid4().hex}")
            temporary.write_bytes(msgspec.json.encode(answer))
            temporary.replace(path)
        return answer
