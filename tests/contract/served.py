"""How the tests of the simulated CxEngage ask it: one request, one window, a stretch of windows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import requests

from simulator.cxengage import CxEngageServer
from simulator.facts import iso, millis

FIRST = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
Rows = list[dict[str, Any]]


def text(moment: datetime) -> str:
    """Return an instant as the API takes it."""
    return iso(millis(moment))


def ask(server: CxEngageServer, /, **parameters: object) -> requests.Response:
    """Make one request with the good credentials."""
    return requests.get(
        f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/rta",
        params={name: str(value) for name, value in parameters.items()},
        auth=(server.username, server.password),
        timeout=10,
    )


def window(server: CxEngageServer, start: datetime, minutes: float = 10, /, **more: object) -> dict[str, Any]:
    """Return the envelope of one window."""
    reply = ask(server, start=text(start), end=text(start + timedelta(minutes=minutes)), **more)
    assert reply.status_code == 200
    envelope: dict[str, Any] = reply.json()
    return envelope


def stretch(server: CxEngageServer, start: datetime, end: datetime) -> Rows:
    """Return all records of a stretch, window by window."""
    rows: Rows = []
    while start < end:
        rows += window(server, start)["results"]
        start += timedelta(minutes=10)
    return rows


def chains(rows: Rows) -> dict[str, Rows]:
    """Return records by session, in their order."""
    sessions: dict[str, Rows] = {}
    for row in rows:
        sessions.setdefault(row["sessionId"], []).append(row)
    return sessions
