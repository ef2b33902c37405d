"""The state archives of a simulated appliance: snapshots every 30 minutes, changes in files of 10 minutes.

What belongs here: which archives exist at an instant, and what is in them.  What does
not: the other reports, and the transport.
All times are integer milliseconds UTC.
"""

from __future__ import annotations

import gzip
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import Final

from simulator.beyondtrust_dialect import TABLES
from simulator.beyondtrust_model import Lifetime, Model, Restarts, Teller
from simulator.beyondtrust_xml import Markup, document, error, forbidden, nothing, tag, time_tag
from simulator.facts import DAY, MINUTE, SECOND, day_start, iso, moment_of
from simulator.faults import Faults
from simulator.wire import Reply, opaque

STATE_EVERY: Final = 30 * MINUTE
EVENTS_SPAN: Final = 10 * MINUTE


@dataclass(frozen=True)
class Archives:
    """The archives that can be had at an instant; days are the site's own."""

    model: Model
    restarts: Restarts
    opened: int
    faults: Faults
    now: int

    # -- which there are ----------------------------------------------------------------

    def listing(self, given: dict[str, str]) -> Reply:
        """Answer `generate_report=ArchiveListing&date=`."""
        refused = self._refused(given)
        if refused is not None:
            return refused
        day = date.fromisoformat(given["date"])
        states = [index for index in range(1, DAY // STATE_EVERY + 1) if self._state_time(day, index) is not None]
        events = [index for index in range(1, DAY // EVENTS_SPAN + 1) if self._events_time(day, index) is not None]
        if not states and not events:
            return nothing(self.model.dialect, "archive")
        told = [self._archive("state_archive", "time", self._state_time(day, index), index) for index in states] + [
            self._archive("event_archive", "start_time", self._events_time(day, index), index) for index in events
        ]
        return document("reporting", self.model.dialect, "archives", *told)

    def _archive(self, name: str, time: str, at: int | None, index: int) -> Markup:
        return tag(name, time_tag(time, at, self.model.dialect), tag("index", index))

    def _refused(self, given: dict[str, str]) -> Reply | None:
        dialect = self.model.dialect
        if "perm_reporting_archive" in dialect.denied:
            return forbidden("reporting", dialect)
        try:
            day = date.fromisoformat(given.get("date", ""))
        except ValueError:
            return error("reporting", dialect, "Invalid or missing date.")
        return None if day in self._days() else nothing(dialect, "archive")

    def _days(self) -> list[date]:
        """Return the days kept: the last so many on which the processes ran, today included."""
        dialect = self.model.dialect
        first = self._day_of(self.opened)
        found: list[date] = []
        day = self._day_of(self.now)
        while day >= first and len(found) < dialect.archive_days:
            if day not in dialect.inactive_days:
                found.append(day)
            day -= timedelta(days=1)
        return found

    def _day_of(self, at: int) -> date:
        return moment_of(at + self.model.dialect.site_minutes_east * MINUTE).date()

    def _begin(self, day: date) -> int:
        return day_start(day) - self.model.dialect.site_minutes_east * MINUTE

    def _state_time(self, day: date, index: int) -> int | None:
        at = self._begin(day) + (index - 1) * STATE_EVERY
        return at if self._available(at, at) else None

    def _events_time(self, day: date, index: int) -> int | None:
        at = self._begin(day) + (index - 1) * EVENTS_SPAN
        return at if self._available(at, at + EVENTS_SPAN) else None

    def _available(self, begin: int, end: int) -> bool:
        ready = end + int(self.model.dialect.archive_minutes * MINUTE)
        return begin >= self.opened and ready <= self.now and not self._dropped(begin, end)

    def _dropped(self, begin: int, end: int) -> bool:
        return any(
            begin < until.timestamp() * SECOND and max(end, begin + 1) > since.timestamp() * SECOND
            for since, until in self.faults.dropped
        )

    # -- what is in them ----------------------------------------------------------------

    def archive(self, given: dict[str, str]) -> Reply:
        """Answer `generate_report=Archive&type=state|event&date=&index=` with a gzip file."""
        refused = self._refused(given)
        if refused is not None:
            return refused
        dialect, kind, number = self.model.dialect, given.get("type"), given.get("index", "")
        if kind not in {"state", "event"} or not number.isdecimal():
            return error("reporting", dialect, "Invalid or missing type or index.")
        day, index = date.fromisoformat(given["date"]), int(number)
        span = STATE_EVERY if kind == "state" else EVENTS_SPAN
        at = None
        if 1 <= index <= DAY // span:
            at = self._state_time(day, index) if kind == "state" else self._events_time(day, index)
        if at is None:
            wanted = self._begin(day) + (index - 1) * span
            if self.faults.dropped_mode == "error" and self._dropped(wanted, wanted + span):
                return opaque(HTTPStatus.INTERNAL_SERVER_ERROR)
            return nothing(dialect, "archive")
        body = self.state(at) if kind == "state" else b"".join(self.events(at, at + EVENTS_SPAN))
        headers = (("Content-Disposition", f'attachment; filename="{kind}_{day}_{index}.json.gz"'),)
        return Reply(HTTPStatus.OK, gzip.compress(body, compresslevel=5, mtime=0), "application/x-gzip", headers)

    def state(self, at: int) -> bytes:
        """Return the rows just before an instant: one JSON object, null for an empty table."""
        lifetime = self.restarts.at(at - 1)
        told = Teller(self.model, lifetime, archive=True).copy(self.model.rows(bisect_left(self.model.times, at)))
        return json.dumps({table: told.get(table) for table in TABLES}, ensure_ascii=False).encode()

    def events(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the changes of [begin, end), one JSON object to a line, restarts among them."""
        lifetime, since = self.restarts.at(begin - 1), begin
        while (restart := self.restarts.after(lifetime, end - 1)) is not None:
            yield from self._changes(lifetime, since, restart[0] + 1)
            lifetime, since = restart, restart[0] + 1
            rows = self.model.rows(bisect_right(self.model.times, restart[0]))
            yield self._line(restart[0], {"type": "truncate_model"})
            yield self._line(restart[0], Teller(self.model, lifetime, archive=True).inserts(rows))
        yield from self._changes(lifetime, since, end)

    def _changes(self, lifetime: Lifetime, begin: int, end: int) -> Iterator[bytes]:
        teller = Teller(self.model, lifetime, archive=True)
        times = self.model.times
        for entry in self.model.entries[bisect_left(times, begin) : bisect_left(times, end)]:
            yield self._line(entry.at, teller.changes(entry))

    def _line(self, at: int, message: dict[str, object]) -> bytes:
        dialect = self.model.dialect
        when: object = {
            "seconds": at // SECOND,
            "fraction": at / SECOND,
            "iso": iso(at),
        }[dialect.archive_time]
        return json.dumps({dialect.archive_time_key: when, **message}, ensure_ascii=False).encode() + b"\n"
