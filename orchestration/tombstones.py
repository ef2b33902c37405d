"""Who is to be forgotten: one small file each, which says so without saying who, and the log of what was done.

Ids and names stand here as digests with a key of this home alone. What lands in the lake passes through here.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import msgspec
from assets.erasure import Person, cut, cut_request

FOLDER = ".forgotten"
LOG = "log.jsonl"
_MOST_KNOWN = 1_000_000


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One agent of one source who is to be forgotten.

    Attributes:
        source: The source.
        agent: Digest of the id.
        names: Digests of the names that only this agent bears.
        pending: ``(vendor, feed, day)`` whose raw segments were cut, or were about to be, and are not built anew yet.
    """

    source: str
    agent: str
    names: frozenset[str] = frozenset()
    pending: frozenset[tuple[str, str, date]] = frozenset()


@dataclass(frozen=True, slots=True)
class Deed:
    """That somebody was forgotten: a line of ``lake/.forgotten/log.jsonl``."""

    at: datetime
    source: str
    agent: str
    pages: int
    files: int
    days: int
    exports: int
    texts: int


class Tombstones:
    """Those of one lake.

    Args:
        root: The folder of the lake.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self._known: dict[str, str] = {}

    def digest(self, kind: str, text: str) -> str:
        """What stands for an id or a name here; nobody who lacks the key finds it by trying."""
        known = f"{kind}\0{text}"
        if known not in self._known:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known[known] = hmac.digest(self._key, known.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()
        return self._known[known]

    def of(self, source: str) -> list[Tombstone]:
        """The tombstones of a source."""
        paths = sorted(self.folder.glob(f"{source}.*.json")) if self.folder.is_dir() else []
        return [msgspec.json.decode(path.read_bytes(), type=Tombstone) for path in paths]

    def find(self, source: str, agent_id: str) -> Tombstone | None:
        """An agent's tombstone, if there is one."""
        agent = self.digest("agent", agent_id)
        return next((stone for stone in self.of(source) if stone.agent == agent), None)

    def put(self, stone: Tombstone) -> None:
        """Write one, durably."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(self.folder / f"{stone.source}.{stone.agent[:16]}.json", msgspec.json.encode(stone))

    def log(self, deed: Deed) -> None:
        """Note what was done; never who it was done for."""
        path = self.folder / LOG
        told = path.read_bytes() if path.exists() else b""
        self._write(path, told + msgspec.json.encode(deed) + b"\n")

    def person(self, stone: Tombstone) -> Person:
        """How to know this agent in a reply."""
        return Person(
            lambda text: self.digest("agent", text) == stone.agent,
            lambda text: bool(stone.names) and self.digest("name", text) in stone.names,
        )

    @cached_property
    def _key(self) -> bytes:
        path = self.folder / "key"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(path, secrets.token_bytes(32))
        return path.read_bytes()

    def _write(self, path: Path, data: bytes) -> None:
        waiting = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with waiting.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        waiting.chmod(0o600)
        waiting.replace(path)


@dataclass(slots=True)
class Cutting:
    """Cuts some people out of replies, and counts.

    Attributes:
        people: Who.
        touched: Replies in which they were.
    """

    people: Iterable[Person]
    touched: int = field(default=0)

    def __call__(self, request: str, payload: bytes) -> bytes | None:
        """The reply without them; None where nothing is left of it."""
        found: bytes | None = payload
        for person in self.people:
            found = None if found is None or cut_request(request, person) else cut(found, person)
        self.touched += found is not payload
        return found


def without(root: Path, source: str) -> Cutting | None:
    """What is cut out of all that lands of a source from now on; None where nobody is to be forgotten."""
    stones = Tombstones(root)
    people = [stones.person(stone) for stone in stones.of(source)]
    return Cutting(people) if people else None
