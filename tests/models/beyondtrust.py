"""BeyondTrust payloads and raw pages for tests of its models: messages, archive files, XML. No expectations here."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.models.workbench import Rows, Workbench, at

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
    return bench.run(table, **{bench.models[table].parents[0].split(".")[1]: list(pages)})


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
