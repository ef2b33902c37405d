"""BeyondTrust payloads and raw pages for tests of its models: messages, archive files, XML. No expectations here."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestration.inputs import midnight
from orchestration.models import Model
from tests.models.workbench import DAY, Rows, Workbench, at

STATE = "staging.stg_beyondtrust__state"
ARCHIVE = "staging.stg_beyondtrust__archive"
COMMAND = "staging.stg_beyondtrust__command"
SESSIONS = "staging.stg_beyondtrust__sessions"
SOURCE = "bt"


def unix(moment: str | datetime) -> int:
    """UNIX seconds of a short time."""
    return int((at(moment) if isinstance(moment, str) else moment).timestamp())


def page(payload: bytes | Mapping[str, Any], when: str = "08:00", sequence: int = 0, **fields: Any) -> dict[str, Any]:
    """A row of a raw segment, received at ``when``; over a connection opened at 08:00, unless told."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode() + b"\n"
    return {
        "source": SOURCE,
        "segment": "seg",
        "sequence": sequence,
        "requested_at": at("08:00"),
        "received_at": at(when),
        "window_start": at("08:00"),
        "window_end": at("09:00"),
        "request": "GET /nw",
        "status": 101,
        "payload": body,
        "payload_sha256": hashlib.sha256(body).hexdigest(),
        **{name: at(value) if name in _TIMES and isinstance(value, str) else value for name, value in fields.items()},
    }


_TIMES = {"requested_at", "window_start", "window_end"}


def stage(bench: Workbench, table: str, pages: Iterable[Mapping[str, Any]]) -> Rows:
    """What a staging model makes of these pages."""
    raw: dict[str, Any] = {bench.models[table].parents[0].split(".")[1]: list(pages)}
    return bench.run(table, **raw)


def change(**operations: Any) -> dict[str, Any]:
    """A message that changes rows: ``insert={"table": {"id": {…}}}`` and so on."""
    return {"type": "update_model", **operations}


def archive_page(kind: str, content: bytes, index: int = 1, **fields: Any) -> dict[str, Any]:
    """A gzipped file of the archive, as it was asked for by POST."""
    request = f"POST /api/reporting generate_report=Archive&type={kind}&date=2026-11-03&index={index}"
    return page(gzip.compress(content, mtime=0), request=request, status=200, **{"sequence": index, **fields})


def listing(states: Mapping[int, str], events: Mapping[int, str], **fields: Any) -> dict[str, Any]:
    """The list of a day's archives, with the times of each file by its index."""
    parts = [
        f'<state_archive><time timestamp="{unix(when)}">{at(when).isoformat()}</time><index>{n}</index></state_archive>'
        for n, when in states.items()
    ] + [
        f'<event_archive><start_time timestamp="{unix(when)}">x</start_time><index>{n}</index></event_archive>'
        for n, when in events.items()
    ]
    body = f'<archives xmlns="http://www.bomgar.com/namespaces/API/reporting">{"".join(parts)}</archives>'
    request = "POST /api/reporting generate_report=ArchiveListing&date=2026-11-03"
    return page(body.encode(), request=request, status=200, **{"sequence": 0, **fields})


def lines(events: Sequence[tuple[str, Mapping[str, Any]]]) -> bytes:
    """An event file: a JSON object for each line, with its time."""
    return b"".join(json.dumps({"timestamp": unix(when), **event}).encode() + b"\n" for when, event in events)


class Replay:
    """The intermediate models of BeyondTrust over raw pages, day by day, each from the days that its window names.

    Args:
        bench: The models.
        state: Live messages, as ``page`` makes them.
        archive: Files of the archive; windows of half an hour are fetched where ``observed`` says so.
        sessions: Reports.
        observed: Windows of the archive that were fetched, as short times.
        gaps: Stretches that nobody watched, as short times.
    """

    def __init__(
        self,
        bench: Workbench,
        state: Iterable[Mapping[str, Any]] = (),
        archive: Iterable[Mapping[str, Any]] = (),
        sessions: Iterable[Mapping[str, Any]] = (),
        observed: Iterable[tuple[str, str]] = (),
        gaps: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.bench = bench
        self.built: dict[str, dict[date, Rows]] = {}
        self.given = {
            "stg_beyondtrust__state": stage(bench, STATE, state),
            "stg_beyondtrust__archive": stage(bench, ARCHIVE, archive),
            "stg_beyondtrust__sessions": stage(bench, SESSIONS, sessions),
            "int_feed_windows": [
                {"source": SOURCE, "feed": "archive", "window_start": at(a), "window_end": at(b), "status": "observed"}
                for a, b in observed
            ],
            "int_feed_gaps": [
                {"source": SOURCE, "gap_start": start, "gap_end": end, "date": start.date()}
                for start, end in [*((at(a), at(b)) for a, b in gaps), *((midnight(d), midnight(d)) for d in _DAYS)]
            ],
        }

    def rows(self, table: str, day: date = DAY) -> Rows:
        """What one of the models makes of a day."""
        found = self.built.setdefault(table, {})
        if day not in found:
            model = self.bench.models[f"intermediate.{table}"]
            parents = {parent.split(".")[1]: self._parent(model, parent, day) for parent in model.parents}
            found[day] = self.bench.run(model.table, day, **parents)
        return found[day]

    def _parent(self, model: Model, parent: str, day: date) -> list[dict[str, Any]]:
        name = parent.split(".")[1]
        first, last = model.window(parent)
        days = [day + timedelta(days=n) for n in range(first, last + 1)]
        if name.startswith("stg_"):
            return [r for r in self.given[name] if r["touched_from"] and _touches(r, days)]
        if name in self.given:
            times = ("window_start", "gap_start")
            return [r for r in self.given[name] if next(r[t] for t in times if t in r).date() in days]
        return [{**row, "date": d} for d in days if d >= _DAYS[1] for row in self.rows(name, d)]

    def states(self, *columns: str, agent: str = "5", day: date = DAY) -> list[Any]:
        """Start and state of an agent's records on a day, and these columns."""
        rows = Rows(r for r in self.rows("int_beyondtrust_records", day) if r["agent_id"] == agent)
        return rows.pick("started_at", "vendor_state", *columns)


_DAYS = [DAY + timedelta(days=n) for n in (-2, -1, 0, 1)]


def _touches(row: Mapping[str, Any], days: Sequence[date]) -> bool:
    low, high = (row[name].astimezone(UTC).date() for name in ("touched_from", "touched_until"))
    return bool(low <= days[-1] and high >= days[0])


def rep(user: str = "5", since: str = "08:00", **fields: Any) -> dict[str, Any]:
    """A row of ``representative``, available unless told."""
    flags = {"routing_available": 1, "routing_idle": 0, "routing_busy": 0, "routing_enabled": 1}
    named = {"user_id": user, "username": f"u{user}", "private_display_name": f"Rep {user}"}
    return {**named, **flags, "created_timestamp": unix(since), **fields}


IDLE = {"routing_available": 0, "routing_idle": 1}
OFF = {"routing_available": 0, "routing_enabled": 0}
BUSY = {"routing_available": 0, "routing_busy": 1}
BACK = {"routing_available": 1, "routing_idle": 0, "routing_busy": 0, "routing_enabled": 1}


def told(*messages: tuple[str, Mapping[str, Any]], opened: str = "08:00", **fields: Any) -> list[dict[str, Any]]:
    """Messages of one connection, each with the time of its receipt."""
    return [page(m, when, n, requested_at=opened, **fields) for n, (when, m) in enumerate(messages)]


def reps(**rows: Mapping[str, Any]) -> dict[str, Any]:
    """A message that inserts representatives; ``r12`` is the row 12."""
    return change(insert={"representative": {name[1:]: row for name, row in rows.items()}})


def now(**rows: Mapping[str, Any]) -> dict[str, Any]:
    """A message that updates representatives."""
    return change(update={"representative": {name[1:]: row for name, row in rows.items()}})


def gone(table: str, *ids: str) -> dict[str, Any]:
    """A message that deletes rows."""
    return change(delete={table: list(ids)})


def joined(row: str, session: str, representative: str, since: str) -> dict[str, Any]:
    """A message by which a representative joins a session."""
    one = {"support_session_id": session, "representative_id": representative, "created_timestamp": unix(since)}
    return change(insert={"representative_support_session": {row: one}})
