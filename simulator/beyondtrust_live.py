"""The real-time state feed at `/nw`: one reader's connection from its handshake to its updates.

What belongs here: the serial phases, what is sent when, and cutting messages into
WebSocket frames.  What does not: sockets (`beyondtrust.py`) and the rows themselves.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from simulator.beyondtrust_churn import Churn
from simulator.beyondtrust_dialect import SUBPROTOCOL, TABLES, Dialect
from simulator.beyondtrust_gate import Tokens
from simulator.beyondtrust_model import Lifetime, Model, Restarts, Teller

Phase = Literal["choosing", "authenticating", "subscribing", "receiving", "over"]
_CHOSEN: Final = b"0 Application chosen\n"
_PIECE: Final = 60
_PIECE_AT_RANDOM: Final = 700


class Integrations:
    """Counts: connections that receive updates now; refusals, messages and cut-off readers so far."""

    def __init__(self) -> None:
        """Begin with none."""
        self.receiving = 0
        self.refused = 0
        self.messages = 0
        self.cut_off = 0


@dataclass
class Feed:
    """What the connections of one server share."""

    model: Model
    restarts: Restarts
    tokens: Tokens
    now: Callable[[], int]
    integrations: Integrations = field(default_factory=Integrations)
    churn: Churn = field(default_factory=Churn)


class Connection:
    """One reader: takes in what it says, and gives out what is to be sent, as messages."""

    def __init__(self, feed: Feed) -> None:
        """Begin after the WebSocket opened, under the dialect of that moment."""
        self._feed = feed
        self._model = feed.model
        self._dialect: Dialect = feed.model.dialect
        self.phase: Phase = "choosing" if self._dialect.handshake == "ns01" else "authenticating"
        self._heard = b""
        self._replies: list[bytes] = []
        self._tables: tuple[str, ...] = ()
        self._token = ""
        self._lifetime: Lifetime = (0, 0)
        self._position = 0
        self._churned = 0.0

    # -- what the reader says -----------------------------------------------------------

    def hear(self, data: bytes) -> None:
        """Take in bytes of any cut; the replies to the messages they complete are due next."""
        self._heard += data
        while self.phase != "over" and (end := self._next_end()) is not None:
            line, self._heard = self._heard[:end], self._heard[end:]
            self._replies += self._answer(line)

    def _next_end(self) -> int | None:
        """Return where the next message ends; the old handshake is one of two lines."""
        end = self._heard.find(b"\n") + 1
        if end and self.phase == "choosing":
            end = self._heard.find(b"\n", end) + 1
        return end or None

    def _answer(self, line: bytes) -> list[bytes]:
        if self.phase == "choosing":
            wanted = f"NS01{self._feed.tokens.account.company}\n{SUBPROTOCOL}\n".encode()
            self.phase = "authenticating" if line == wanted else "over"
            return [_CHOSEN] if line == wanted else []
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        kind = message.get("type") if isinstance(message, dict) else None
        expected = {"authenticating": "authenticate", "subscribing": "subscribe"}.get(self.phase)
        # The phases are strictly serial; what comes out of turn is refused.
        granted = isinstance(message, dict) and kind == expected and self._grant(message)
        if granted:
            return [self._reply(kind, success=True)]
        self.close()
        self._feed.integrations.refused += 1
        return [self._reply(kind, success=False)] if self._dialect.refusal == "reply" else []

    def _grant(self, message: dict[str, object]) -> bool:
        if self.phase == "authenticating":
            return self._authenticate(message.get("credentials"))
        return self._subscribe(message.get("tables"))

    def _authenticate(self, credentials: object) -> bool:
        if not isinstance(credentials, dict) or "perm_real_time_state" in self._dialect.denied:
            return False
        token = str(credentials.get("bearer_token", ""))
        account = self._feed.tokens.account
        known = (credentials.get("username"), credentials.get("password")) == (account.username, account.password)
        if not self._feed.tokens.valid(token, self._feed.now()) and not (self._dialect.handshake == "ns01" and known):
            return False
        self._token = token
        self.phase = "subscribing"
        return True

    def _subscribe(self, tables: object) -> bool:
        wanted = TABLES if tables == "all" else tables
        if not isinstance(wanted, list | tuple) or not wanted or not all(name in TABLES for name in wanted):
            return False
        if self._feed.integrations.receiving >= self._dialect.integrations:
            return False
        self._tables = tuple(wanted)
        self.phase = "receiving"
        self._feed.integrations.receiving += 1
        return True

    def _reply(self, kind: object, *, success: bool) -> bytes:
        told = {"type": kind} if self._dialect.reply_type == "echo" and kind is not None else {}
        return line_of({**told, "success": success})

    # -- what the reader is told --------------------------------------------------------

    def due(self) -> Iterator[bytes]:
        """Yield the messages due by now: replies, the full copy, then changes, restarts among them."""
        replies, self._replies = self._replies, []
        yield from replies
        if self.phase != "receiving":
            return
        now = self._feed.now()
        if self._lifetime == (0, 0):
            self._lifetime = self._feed.restarts.at(now)
            self._position = max(
                bisect_right(self._model.told, now), bisect_right(self._model.times, self._lifetime[0])
            )
            yield from self._copy()
        while (restart := self._feed.restarts.after(self._lifetime, now)) is not None:
            yield from self._changes(restart[0])
            self._lifetime = restart
            self._position = bisect_right(self._model.times, restart[0])
            if self._dialect.restart == "close":
                self.close()
                return
            yield line_of({"type": "truncate_model"})
            yield from self._copy()
        yield from self._changes(now)
        if self._dialect.expiry_closes and self._token and not self._feed.tokens.valid(self._token, now):
            self.close()

    def _copy(self) -> Iterator[bytes]:
        rows = self._model.rows(self._position)
        groups: tuple[tuple[str, ...], ...] = (self._tables,)
        if self._dialect.full_copy == "per_table":
            groups = tuple((table,) for table in self._tables)
        for tables in groups:
            teller = Teller(self._model, self._lifetime, tables, archive=False)
            yield line_of(teller.inserts(rows))

    def _changes(self, until: int) -> Iterator[bytes]:
        begin = self._position
        end = max(begin, bisect_right(self._model.told, until))
        self._position = end
        teller = self._teller()
        for entry in self._model.entries[begin:end]:
            message = teller.changes(entry)
            if message:
                yield line_of(message)

    def churn(self, seconds: float) -> Iterator[bytes]:
        """Yield the meaningless changes asked for, for so many real seconds."""
        churn = self._feed.churn
        if self.phase != "receiving" or churn.updates_per_second <= 0:
            return
        self._churned += seconds * churn.updates_per_second
        count, self._churned = int(self._churned), self._churned % 1
        rows = self._model.rows(self._position)
        for message in churn.changes(rows, self._teller(), self._tables, count):
            yield line_of(message)

    def _teller(self) -> Teller:
        return Teller(self._model, self._lifetime, self._tables, archive=False)

    def close(self) -> None:
        """Give the reader's place back; nothing is said any more."""
        if self.phase == "receiving":
            self._feed.integrations.receiving -= 1
        self.phase = "over"


def line_of(message: dict[str, object]) -> bytes:
    """Return a message as the feed writes it: JSON and a newline."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def frames(messages: Iterable[bytes], dialect: Dialect, rng: random.Random) -> Iterator[bytes]:
    """Cut messages into frames; put together the frames are the messages, whatever the cut."""
    if dialect.framing == "message":
        yield from messages
        return
    if dialect.framing == "split":
        for message in messages:
            yield from _cut(message, lambda: _PIECE)
        return
    together = b"".join(messages)
    if dialect.framing == "packed":
        yield from (together,) if together else ()
    else:
        yield from _cut(together, lambda: rng.randint(1, _PIECE_AT_RANDOM))


def _cut(data: bytes, length: Callable[[], int]) -> Iterator[bytes]:
    begin = 0
    while begin < len(data):
        end = begin + length()
        yield data[begin:end]
        begin = end
