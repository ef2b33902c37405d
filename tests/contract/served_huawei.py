"""How the tests of the simulated Huawei AICC ask it: by GUID at the gateway, signed at CC-CMS."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from simulator.facts import Agent, Session, millis
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect

FIRST = date(2026, 3, 2)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
QUICK = HuaweiDialect(poll_wait_seconds=0)
TOTAL = "/rest/cmsapp/v1/openapi/vdn/totalagentstate"
Rows = list[dict[str, Any]]


def resource(aicc: HuaweiServer, path: str) -> str:
    """Return an address at CC-Gateway."""
    return f"{aicc.base_url}/agentgateway/resource/{path}"


def status(aicc: HuaweiServer, number: str, guid: str) -> dict[str, Any]:
    """Ask for an agent's status; HTTP itself never fails."""
    reply = requests.get(
        resource(aicc, f"onlineagent/{number}/agentstatus"),
        headers={"Guid": guid, "Content-Type": "application/json; charset=UTF-8"},
        timeout=10,
    )
    assert reply.status_code == 200
    answer: dict[str, Any] = reply.json()
    return answer


def signed(aicc: HuaweiServer, path: str, body: object, secret: str = "", stamp: str = "") -> requests.Response:
    """Send a request signed as the vendor's guide says, written here anew from the guide."""
    url = f"{aicc.base_url}{path}"
    data = json.dumps(body).encode()
    date_text = stamp or datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/json", "host": urlsplit(url).netloc, "x-sdk-date": date_text}
    names = ";".join(sorted(headers))
    lines = ["POST", urlsplit(url).path.rstrip("/") + "/", ""]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers)]
    lines += ["", names, hashlib.sha256(data).hexdigest()]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n{date_text}\n{digest}"
    key = (secret or aicc.account.secret_key).encode()
    made = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (
        f"SDK-HMAC-SHA256 Access={aicc.account.access_key}, SignedHeaders={names}, Signature={made}"
    )
    return requests.post(url, data=data, headers=headers, timeout=10)


def cms(aicc: HuaweiServer, path: str, /, **body: object) -> dict[str, Any]:
    """Ask CC-CMS of the account's own centre."""
    where: dict[str, object] = {"ccId": aicc.account.cc_id, "vdn": aicc.account.vdn}
    reply = signed(aicc, f"/rest/cmsapp/v1/openapi/{path}", where | body)
    assert reply.status_code == 200
    answer: dict[str, Any] = reply.json()
    return answer


def rows(aicc: HuaweiServer, path: str, /, **body: object) -> Rows:
    """Return the rows of an answer that must be a success."""
    answer = cms(aicc, path, **body)
    assert answer["resultCode"] == "0100000"
    found: Rows = answer["resultDatas"]
    return found


def past(aicc: HuaweiServer, number: str, start: datetime, end: datetime, /, **more: object) -> Rows:
    """Return an agent's operation records of a window."""
    times = {"beginTime": start.strftime("%Y-%m-%d %H:%M:%S"), "endTime": end.strftime("%Y-%m-%d %H:%M:%S")}
    return rows(aicc, "agent/agentoprinfo", currentAgentId=int(number), **times, **more)


def at_work(aicc: HuaweiServer, moment: datetime) -> list[tuple[Agent, Session]]:
    """Return who is signed in at an instant, with the session."""
    now = millis(moment)
    return [
        (stay.agent, stay)
        for stays in aicc.centre.sessions
        for stay in stays
        if stay.started <= now and (stay.ended is None or stay.ended > now)
    ]


def away(aicc: HuaweiServer, moment: datetime = NOON) -> str:
    """Return the work number of somebody who is signed out, and stays so for half an hour."""
    busy = {a.agent_id for minutes in range(31) for a, _ in at_work(aicc, moment + timedelta(minutes=minutes))}
    return next(number for agent_id, number in aicc.agent_ids.items() if agent_id not in busy)


def present(aicc: HuaweiServer) -> str:
    """Return the work number of somebody who is signed in."""
    return next(iter(aicc.guids()))
