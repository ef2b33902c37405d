"""The clients of Kore.ai and Huawei against the simulators: both were written from the vendors' documents alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from assets.config import Origin
from assets.huawei.cms import CmsHistoryClient
from assets.huawei.cms_live import CmsStatusClient
from assets.huawei.config import HuaweiConfig
from assets.huawei.gateway import GatewayClient
from assets.kore.client import KoreClient
from assets.kore.config import KoreConfig
from assets.live import LiveClient
from assets.windows import Window
from simulator.faults import Faults
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect
from simulator.kore import KoreServer
from simulator.kore_events import KoreDialect
from tests.contract.huawei_fake import Notes
from tests.contract.served_huawei import away, past, resource
from tests.contract.served_kore import FREE, MIDNIGHT, NOON, updates

NAMES = ("AgentId", "EventTime", "Activity")
KORE_WAYS = [
    KoreDialect(rate_per_minute=FREE),
    KoreDialect(rate_per_minute=FREE, stream_id_required=True, subject_required=True, end_inclusive=True),
    KoreDialect(rate_per_minute=FREE, names="camel", empty="absent", no_reason="null"),
    KoreDialect(rate_per_minute=FREE, empty="no_content", no_reason="absent", padded=True, with_busy=True),
]


def kore_client(kore: KoreServer) -> KoreClient:
    """A client of the simulated account, with a budget of its own."""
    environ = {"APP": kore.app_id, "SECRET": kore.client_secret}
    keys = {
        "name": "kore_in",
        "vendor": "kore",
        "base_url": kore.base_url,
        "account_id": kore.account_id,
        "app_id": "${APP}",
        "client_secret": "${SECRET}",
        "stream_id": kore.stream_id,
        "max_requests_per_minute": 5_000,
    }
    return KoreClient(KoreConfig.model_validate(keys, context=Origin(environ=environ)))


def aicc_config(aicc: HuaweiServer, **keys: object) -> HuaweiConfig:
    """A source at the simulated AICC, polled quickly."""
    environ = {"AK": aicc.account.access_key, "SK": aicc.account.secret_key}
    environ |= {f"P{number}": password for number, password in aicc.passwords.items()}
    values = {"name": "aicc", "vendor": "huawei", "base_url": aicc.base_url, "poll_seconds": 0.1, **keys}
    return HuaweiConfig.model_validate(values, context=Origin(Path("/conf/sources.yaml"), "source aicc", environ))


def passive(aicc: HuaweiServer) -> HuaweiConfig:
    """A source that asks CC-CMS."""
    where = {"cc_id": aicc.account.cc_id, "vdn": aicc.account.vdn}
    return aicc_config(aicc, cms=where | {"access_key": "${AK}", "secret_key": "${SK}"})


def watch(client: LiveClient, enough: Callable[[Notes], bool]) -> Notes:
    """Run a live client until its notes are enough, then cancel it."""

    async def main() -> Notes:
        notes = Notes()
        running = asyncio.create_task(client.run(notes))
        async with asyncio.timeout(30):
            while not enough(notes) and not running.done():
                await asyncio.wait([running], timeout=0.01)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return notes

    return asyncio.run(main())


@pytest.mark.parametrize("way", KORE_WAYS)
def test_kores_updates_are_fetched_whole(kore: KoreServer, way: KoreDialect) -> None:
    """One side would have misread the documents about tokens, windows or envelopes."""
    kore.set_dialect(way)
    client = kore_client(kore)
    got: set[tuple[str, ...]] = set()
    for hour in range(12):
        fetched = client.fetch(Window(MIDNIGHT + timedelta(hours=hour), MIDNIGHT + timedelta(hours=hour + 1)))
        assert (fetched.status, fetched.error) == ("ok", None)
        for page in fetched.pages:
            told: dict[str, Any] = json.loads(page.payload or b"{}")
            for row in told.get("AgentUpdates") or told.get("agentUpdates") or []:
                got.add(tuple(str(row.get(name) or row.get(name[0].lower() + name[1:])) for name in NAMES))
    kore.set_dialect(KoreDialect(rate_per_minute=FREE, padded=way.padded, with_busy=way.with_busy))
    true = updates(kore, MIDNIGHT, NOON - timedelta(minutes=1))
    assert {tuple(row[name] for name in NAMES) for row in true} <= got


def test_kores_account_is_found_well(kore: KoreServer) -> None:
    """The doctor would find fault with a healthy account, or none with a wrong zone."""
    client = kore_client(kore)
    assert [probe.name for probe in client.probe() if not probe.ok] == ["clock"]
    kore.set_dialect(KoreDialect(rate_per_minute=FREE, event_zone="Asia/Kolkata"))
    assert "event_timezone" in {probe.name for probe in client.probe() if not probe.ok}


def answers(notes: Notes) -> list[dict[str, Any]]:
    """What a live client was answered, in order."""
    return [json.loads(page.payload or b"") for page in notes.pages]


def test_desktops_guids_may_change_under_the_client(aicc: HuaweiServer, tmp_path: Path) -> None:
    """The client would miss the site's new GUIDs, or the simulator would refuse the old ones too soon."""
    path = tmp_path / "guids.json"
    aicc.write_guids(path)
    stays = len(aicc.guids())
    steps: list[int] = []

    def enough(notes: Notes) -> bool:
        if len(notes.pages) >= (len(steps) + 1) * 3 * stays:
            steps.append(len(notes.pages))
            aicc.clock.advance(timedelta(seconds=30))
            aicc.write_guids(path)
        return len(steps) == 6

    notes = watch(GatewayClient(aicc_config(aicc, guid_file=str(path))), enough)
    assert "lost" not in list(notes.words())
    codes = [answer["retcode"] for answer in answers(notes)]
    assert codes.count("0") == len(codes)


def test_a_seat_of_our_own_is_watched_and_left(aicc: HuaweiServer) -> None:
    """Sign-in, heart-beat or sign-out would be misread by one side."""
    number = away(aicc)
    source = aicc_config(aicc, agents=[{"id": number, "password": f"${{P{number}}}", "phone": "8801"}])
    notes = watch(GatewayClient(source), lambda notes: len(notes.pages) > 5)
    assert {answer["retcode"] for answer in answers(notes)} == {"0"}
    assert requests.get(resource(aicc, f"onlineagent/{number}/agentstatus"), timeout=10).json()["retcode"] == "100-006"


def test_refusals_do_not_end_the_watch(aicc: HuaweiServer, tmp_path: Path) -> None:
    """Errors that come with HTTP 200 would end the client."""
    path = tmp_path / "guids.json"
    aicc.write_guids(path)
    aicc.set_faults(Faults(seed=3, refused_rate=0.2, retcodes=("000-004", "000-007")))
    notes = watch(GatewayClient(aicc_config(aicc, guid_file=str(path))), lambda notes: len(notes.pages) > 60)
    assert sum(answer["retcode"] == "0" for answer in answers(notes)) > 30


@pytest.mark.parametrize("way", [HuaweiDialect(), HuaweiDialect(cti_36=True), HuaweiDialect(envelope="legacy")])
def test_states_come_from_cms(aicc: HuaweiServer, way: HuaweiDialect) -> None:
    """Signature, envelope, numbering or the way to learn who there is would be misread by one side."""
    aicc.set_dialect(way)
    assert [probe.name for probe in CmsStatusClient(passive(aicc)).probe() if not probe.ok] == ["clock"]
    notes = watch(CmsStatusClient(passive(aicc)), lambda notes: len(notes.pages) > 2)
    rows = [row for answer in answers(notes) for row in answer["resultDatas"] if "currentState" in row]
    assert {str(row["agentId"]) for row in rows} == set(aicc.agent_ids.values())


@pytest.mark.parametrize("names", ["camel", "lower"])
def test_a_day_of_operations_is_fetched(aicc: HuaweiServer, names: Any) -> None:
    """The archive's windows or rows would be misread by one side."""
    aicc.set_dialect(HuaweiDialect(row_names=names, idle_rows=names == "lower", cti_36=names == "lower"))
    client = CmsHistoryClient(passive(aicc))
    fetched = [client.fetch(Window(NOON - timedelta(hours=h), NOON - timedelta(hours=h - 1))) for h in (3, 2, 1)]
    assert [one.status for one in fetched] == ["ok"] * 3
    for one, hours in zip(fetched, (3, 2, 1), strict=True):
        start = NOON - timedelta(hours=hours)
        true = sum(len(past(aicc, n, start, start + timedelta(hours=1))) for n in aicc.agent_ids.values())
        assert one.records == true > 20
