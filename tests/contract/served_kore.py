"""How the tests of the simulated Kore.ai ask it: with a token, for one window."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import jwt
import requests

from simulator.kore import KoreServer

FIRST = date(2026, 3, 2)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
FREE = 100_000
Rows = list[dict[str, Any]]


def token(kore: KoreServer, secret: str = "", /, **claims: object) -> str:
    """Return a token as the vendor's sample has it: of the app's id alone."""
    return jwt.encode({"appId": kore.app_id} | claims, secret or kore.client_secret, algorithm="HS256")


def get(
    kore: KoreServer, query: dict[str, str], auth: str | None = None, path: str = "agentactivity", **headers: str
) -> requests.Response:
    """Make one request of the account."""
    return requests.get(
        f"{kore.base_url}/agentassist/api/public/analytics/account/{kore.account_id}/{path}",
        params=query,
        headers={"auth": token(kore) if auth is None else auth, "Content-Type": "application/json"} | headers,
        timeout=10,
    )


def text(moment: datetime) -> str:
    """Return an instant as the sample request writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ask(kore: KoreServer, start: datetime, end: datetime, **headers: str) -> requests.Response:
    """Ask for the activity of one window."""
    return get(kore, {"fromTimeStamp": text(start), "toTimeStamp": text(end)}, **headers)


def updates(kore: KoreServer, start: datetime = MIDNIGHT, end: datetime = NOON) -> Rows:
    """Return the updates of one window."""
    reply = ask(kore, start, end)
    assert reply.status_code == 200
    found: Rows = reply.json()["AgentUpdates"]
    return found


def instant(row: dict[str, Any]) -> datetime:
    """Return an update's time, taken as UTC."""
    return datetime.strptime(row["EventTime"], "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
