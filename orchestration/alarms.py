"""Who was told of what: each incident once when it begins and once when it is over, also over restarts and outages.

The book of it is a file of the home, on disk before and after each delivery: a tick that is cut short tells nobody
twice. What is wrong is judged in ``incidents.py``; how a message travels belongs in ``webhook.py``.
"""

import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from orchestration.incidents import Incident
from orchestration.lake import Lake
from orchestration.words import said

CALM = timedelta(minutes=2)
"""How long something must be well before it is over, so that nobody is told of each flicker."""

GROWN = timedelta(minutes=15)
"""How long a loss must not have grown for its whole to be told."""

MOST_WAITING = 200
"""Messages that wait for a receiver; of more the oldest are dropped, and stand in the log alone."""

_REFUSALS = 3
_UNWRITTEN: dict[Path, "Book"] = {}

Delivery = Literal["delivered", "refused", "silent"]
"""A receiver's answer: 2xx, another one, or none at all."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an incident; as JSON, the body of the webhook (docs/operations.md).

    Attributes:
        id: Different for each message; the same when one is delivered again.
        event: ``began`` or ``over``.
        kind: Kind of the incident.
        incident: The key of the incident; the same in both messages.
        subject: What it is about.
        began_at: When it was first seen, UTC.
        over_at: When it was first seen no more.
        cause: What was found.
        next_step: What to do; nothing once it is over.
        text: All of it in one line.
        home: The home of this Shiftbook.
    """

    id: str
    event: Literal["began", "over"]
    kind: str
    incident: str
    subject: str
    began_at: datetime
    over_at: datetime | None
    cause: str
    next_step: str | None
    text: str
    home: str


class Seen(msgspec.Struct, kw_only=True):
    """An incident that goes on.

    Attributes:
        incident: As it was when told, or last seen.
        since: When it was first seen.
        is_told: Whether it was told of.
        well_since: Since when it is not seen any more.
        grown_at: When it was last seen to have grown since it was told; of what cannot be over.
    """

    incident: Incident
    since: datetime
    is_told: bool = False
    well_since: datetime | None = None
    grown_at: datetime | None = None


class Book(msgspec.Struct):
    """What goes on, and what is still to be delivered, oldest first."""

    open: dict[str, Seen] = {}
    outbox: list[Message] = []


def turn(
    book: Book, present: Sequence[Incident], now: datetime, home: str = "", undecided: Collection[str] = ()
) -> list[Message]:
    """Compare the book with what is wrong now, bring it up to date, and say what is to be told.

    Args:
        book: The book; its outbox is left alone.
        present: What is wrong now.
        now: Our clock.
        home: The home, for the messages.
        undecided: Keys of incidents of which nobody knows just now whether they are over.
    """
    messages = []
    for incident in present:
        seen = book.open.setdefault(incident.key, Seen(incident=incident, since=now))
        seen.well_since = None
        if seen.is_told and not incident.ends and incident.cause != seen.incident.cause:
            seen.grown_at = now
        if not seen.is_told or not incident.ends:
            seen.incident = incident
        if seen.grown_at and now - seen.grown_at >= GROWN:
            messages.append(_total(seen, home))
            seen.grown_at = None
        if not seen.is_told and now - seen.since >= incident.patience:
            seen.is_told = True
            messages.append(_began(seen, home))
    keys = {incident.key for incident in present} | set(undecided)
    for key, seen in [(key, seen) for key, seen in book.open.items() if key not in keys]:
        seen.well_since = seen.well_since or now
        if seen.is_told and seen.incident.ends and now - seen.well_since < CALM:
            continue
        del book.open[key]
        if seen.grown_at:
            messages.append(_total(seen, home))
        if seen.is_told and seen.incident.ends:
            messages.append(_over(seen, seen.well_since, home))
    return messages


def _began(seen: Seen, home: str) -> Message:
    text = f"ALARM {seen.incident.kind}: {seen.incident.cause.rstrip('.')}. Next: {seen.incident.next_step}"
    return _message(seen, None, text, home)


def _over(seen: Seen, at: datetime, home: str) -> Message:
    text = f"OVER {seen.incident.kind}: {seen.incident.subject} is well again after {said(at - seen.since)}."
    return _message(seen, at, text, home)


def _total(seen: Seen, home: str) -> Message:
    text = f"OVER {seen.incident.kind}: it grows no more. In all: {seen.incident.cause}"
    return _message(seen, seen.grown_at, text, home)


def _message(seen: Seen, over_at: datetime | None, text: str, home: str) -> Message:
    incident = seen.incident
    return Message(
        id=uuid.uuid4().hex,
        event="over" if over_at else "began",
        kind=incident.kind,
        incident=incident.key,
        subject=incident.subject,
        began_at=seen.since,
        over_at=over_at,
        cause=incident.cause,
        next_step=None if over_at else incident.next_step,
        text=text,
        home=home,
    )


def ring(
    lake: Lake,
    path: Path,
    present: Sequence[Incident],
    deliver: Callable[[Message], Delivery] | None,
    log: logging.Logger,
    now: datetime | None = None,
    undecided: Callable[[Mapping[str, Seen]], Collection[str]] = lambda _: (),
) -> Book:
    """Log what began and what is over, deliver it and whatever could not be delivered before, and return the book.

    Args:
        lake: Where locks and half-written files lie.
        path: The book's file.
        present: What is wrong now.
        deliver: Delivers one message; none if the log is all.
        log: Where each message is one line.
        now: Our clock.
        undecided: Which of what goes on nobody knows about just now.
    """
    with lake.lock("alarms"):
        book = _UNWRITTEN.get(path) or read_book(path, log)
        before = msgspec.json.encode(book)
        messages = turn(book, present, now or datetime.now(UTC), str(path.parent), undecided(book.open))
        # Before anything that may fail: the log has it all.
        for message in messages:
            log.warning("%s", message.text)
        book.outbox += messages if deliver else []
        if dropped := book.outbox[:-MOST_WAITING]:
            log.warning("%d alarms that nobody took are not tried again; the log has them", len(dropped))
            del book.outbox[: len(dropped)]
        if path in _UNWRITTEN or msgspec.json.encode(book) != before:
            _write(lake, path, book, log)
        if deliver:
            _deliver(lake, path, book, deliver, log)
    return book


def _deliver(lake: Lake, path: Path, book: Book, deliver: Callable[[Message], Delivery], log: logging.Logger) -> None:
    """Deliver what waits, in order. One that is refused goes last; silence, or a few refusals, end the attempt."""
    refusals = 0
    for message in list(book.outbox):
        outcome = deliver(message)
        if outcome == "silent":
            return
        book.outbox.remove(message)
        if outcome == "refused":
            book.outbox.append(message)
            refusals += 1
        _write(lake, path, book, log)
        if refusals == _REFUSALS:
            return


def read_book(path: Path, log: logging.Logger) -> Book:
    """The book; an empty one when there is none, or when it cannot be read, which is logged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Book)
    except FileNotFoundError:
        return Book()
    except msgspec.MsgspecError as error:
        log.warning("%s cannot be read (%s): what goes on is told of once more", path, error)
        return Book()


def _write(lake: Lake, path: Path, book: Book, log: logging.Logger) -> None:
    """Write the book; where the disk is full, which is to be told of, too, this process remembers it."""
    try:
        lake.place(path, partial(Path.write_bytes, data=msgspec.json.encode(book)))
        _UNWRITTEN.pop(path, None)
    except OSError as error:
        log.warning("%s cannot be written, and is kept in memory: %s", path, error)
        _UNWRITTEN[path] = book
