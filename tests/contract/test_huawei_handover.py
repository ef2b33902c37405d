"""Two recorders and seats that they sign in themselves, at the simulated CC-Gateway, which admits one at a time."""

import asyncio
from pathlib import Path

import pytest
import requests

from assets.huawei import AGENT_STATUS
from assets.huawei.gateway import GatewayClient
from assets.huawei.seats import Patience
from orchestration.lake import Lake
from orchestration.live_feed import Disk, LiveFeed
from orchestration.recorder import Keeper
from simulator.huawei import HuaweiServer
from tests.contract.huawei_fake import ENVIRON, config
from tests.contract.served_huawei import away, resource
from tests.recording import FAST, attempts, ended, until


def keeper(home: Path, aicc: HuaweiServer, numbers: list[str]) -> Keeper:
    """A recorder of seats of our own."""
    agents = [{"id": number, "password": "${PASSWORD}", "phone": "8801"} for number in numbers]
    made = config(aicc.base_url, agents=agents, poll_seconds=0.05)
    lake, disk, folder = Lake(home / "lake"), Disk(), home / "spool" / "huawei" / "agent_status" / "aicc"
    feed = LiveFeed(
        "huawei",
        "aicc",
        AGENT_STATUS,
        lambda: GatewayClient(made, Patience(between=0.01)),
        lake,
        folder,
        disk,
        FAST,
    )
    return Keeper(feed, lake, home / "spool", disk, FAST, alone=made.listens_alone(AGENT_STATUS.name))


def test_a_newcomer_signs_in_when_the_one_before_has_signed_out(
    tmp_path: Path, aicc: HuaweiServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, an upgrade without a hole loses the seats for minutes, since each recorder waits for the other."""
    number = away(aicc)
    monkeypatch.setitem(ENVIRON, "PASSWORD", aicc.passwords[number])

    async def run() -> None:
        first, second = keeper(tmp_path, aicc, [number]), keeper(tmp_path, aicc, [number])
        one = asyncio.create_task(first.run())
        await until(lambda: first.feed.is_watching)
        other = asyncio.create_task(second.run())
        await until(lambda: second.feed.is_watching)
        assert first.stands_by
        await ended(other)
        await until(lambda: first.feed.is_watching and not first.stands_by)
        await ended(one)

    asyncio.run(run())
    assert "100-002" not in caplog.text
    assert [one.status for one in attempts(tmp_path, "agent_status", "aicc", "huawei")].count("ok") == 3
    # Nobody is left signed in: the seat is free for whoever comes.
    wish = {"password": aicc.passwords[number], "phonenum": "8801"}
    assert requests.put(resource(aicc, f"onlineagent/{number}"), json=wish, timeout=10).json()["retcode"] == "0"
