"""What is wrong: found by the logs, told with cause and next step, and nothing found where all is well."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestration import incidents
from orchestration.incidents import Incident, incidents_of
from orchestration.lake import Attempt
from orchestration.resources import Engine
from tests.watching import BT, HOUR, MINUTE, NOW, home_with, recorded, watched

DAY = timedelta(days=1)
CMS = {"base_url": "https://cms.example.com", "cc_id": 1, "vdn": 1, "access_key": "${A}", "secret_key": "${B}"}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A feed that was captured as far back as the vendor keeps it, and is recorded."""
    engine = home_with(tmp_path / "home")
    watched(engine, NOW - 5 * DAY, NOW, heard=NOW + MINUTE)
    return engine


def found(
    engine: Engine, now: datetime, *, is_recorded: bool = True, trouble: str | None = None
) -> dict[str, Incident]:
    """What is wrong, by kind."""
    if is_recorded:
        recorded(engine, "cx/agent_states", now, trouble)
    every = incidents_of(engine.watch.look(now), engine.settings.home, "UTC")
    assert len({incident.key for incident in every}) == len(every)
    return {incident.kind: incident for incident in every}


def test_nothing_is_wrong_while_all_is_well(engine: Engine) -> None:
    """If this fails, alarms are ignored before the first real one."""
    assert found(engine, NOW + MINUTE) == {}


def test_a_loss_is_told_a_day_and_hours_before(engine: Engine) -> None:
    """If this fails, data is forgotten by the vendor while nobody knows that something can be done."""
    watched(engine, NOW + 4 * HOUR, NOW + 64 * HOUR)

    def kinds(hours: float) -> list[str]:
        now = NOW + hours * HOUR
        return sorted(kind for kind in found(engine, now) if kind.startswith("loss"))

    assert kinds(47) == []
    assert kinds(48) == kinds(65) == ["loss_within_24h"]
    assert kinds(66) == ["loss_within_24h", "loss_within_6h"]
    incident = found(engine, NOW + 60 * HOUR)["loss_within_24h"]
    assert incident.cause == (
        "cx/agent_states: 2026-11-20 12:00:00 UTC to 2026-11-20 16:00:00 UTC (4 h) was not fetched, "
        "and the vendor begins to forget it in 12 h."
    )
    assert "shiftbook backfill --source cx --from 2026-11-20 --to 2026-11-20" in incident.next_step
    lost = found(engine, NOW + 74 * HOUR)["lost"]
    assert lost.key == "lost:cx/agent_states:2026-11-20T12:00+00:00"
    assert not lost.ends
    assert found(engine, NOW + 77 * HOUR)["lost"].key == lost.key


def test_a_feed_that_is_kept_for_a_day_is_not_always_in_danger(tmp_path: Path) -> None:
    """If this fails, CC-CMS's history, of 24 hours, is an alarm from its first minute on."""
    source = {"name": "hw", "vendor": "huawei", "base_url": "https://aicc.example.com", "cms": CMS}
    engine = home_with(tmp_path / "home", source | {"feeds": ["cms_history"]})
    feed = engine.watch.look(NOW)[0]
    for start in (NOW - 3 * DAY, NOW - 2 * DAY, NOW - DAY):
        engine.lake.log("huawei", [attempt(start, start + DAY)], feed.feed.delay)

    def kinds(hours: float) -> list[str]:
        every = incidents_of(engine.watch.look(NOW + hours * HOUR), engine.settings.home, "UTC")
        return [incident.kind for incident in every if incident.kind.startswith("loss")]

    assert kinds(11) == []
    assert kinds(13) == ["loss_within_24h"]
    assert kinds(19) == ["loss_within_24h", "loss_within_6h"]


def attempt(start: datetime, end: datetime) -> Attempt:
    """One that succeeded."""
    return Attempt("hw", "cms_history", start, end, end + MINUTE, "ok", None, end + 10 * MINUTE)


def test_a_first_capture_is_no_danger(tmp_path: Path) -> None:
    """If this fails, each new source begins with two alarms."""
    engine = home_with(tmp_path / "home")
    engine.lake.request("cxengage", "agent_states", "cx", NOW - 4 * DAY)
    watched(engine, NOW - HOUR, NOW, heard=NOW)
    assert found(engine, NOW + MINUTE) == {}
    assert "loss_within_6h" in found(engine, NOW + 2 * HOUR)


def test_short_gaps_and_closed_hours_are_in_no_alarm(tmp_path: Path) -> None:
    """If this fails, each connection that a live feed renews wakes somebody, at night, too."""
    engine = home_with(tmp_path / "home", BT | {"open_hours": "Mon-Fri 07:00-21:00", "feeds": ["state"]})
    edges = [NOW - 20 * HOUR, NOW - 14 * HOUR, NOW - 6 * HOUR, NOW - 2 * HOUR, NOW - 2 * HOUR + 4 * MINUTE, NOW]
    for start, end in ((edges[0], edges[1]), (edges[2], edges[3]), (edges[4], edges[5])):
        watched(engine, start, end, heard=end, name="bt/state")
    recorded(engine, "bt/state", NOW)
    assert incidents_of(engine.watch.look(NOW), engine.settings.home, "UTC") == []
    watched(engine, NOW + 5 * MINUTE, NOW + HOUR, heard=NOW + HOUR, name="bt/state")
    recorded(engine, "bt/state", NOW + HOUR)
    [lost] = incidents_of(engine.watch.look(NOW + HOUR), engine.settings.home, "UTC")
    assert (lost.kind, "it cannot be fetched later" in lost.cause) == ("lost", True)


@pytest.mark.parametrize(
    ("error", "refuses"),
    [
        ("cx: GET /x answered 401 after 1 try; check username and password of this source", True),
        ("cx: GET /x answered 403 (no) after 1 try; the account lacks a permission", True),
        ("sources.yaml: source cx: password: environment variable P is not set or is empty; set it", True),
        ("bt: /nw: the token was refused with 'no'; grant", True),
        ("cx: GET /x gave no answer: ConnectionRefusedError: Connection refused after 3 tries; check base_url", False),
        ("cx: GET /x answered 503 (refused to work) after 3 tries; the vendor fails; ask again later", False),
        ("cx: GET /x answered 4010 after 1 try", False),
    ],
)
def test_a_source_that_refuses_us_is_told_at_once(engine: Engine, error: str, *, refuses: bool) -> None:
    """If this fails, a locked account is noticed when hours are lost, or an outage sends people to passwords."""
    incident = found(engine, NOW + MINUTE, trouble=error)
    assert ("refused" in incident) is refuses
    if refuses:
        assert incident["refused"].cause.endswith(error)
        assert "shiftbook doctor" in incident["refused"].next_step


def test_a_recorder_that_does_not_run_is_told_of(engine: Engine) -> None:
    """If this fails, live feeds are lost from the moment that nobody listens."""
    assert found(engine, NOW + MINUTE, is_recorded=False)["no_recorder"].patience > timedelta(0)
    assert "no_recorder" not in found(engine, NOW + MINUTE, trouble="503")


def test_a_disk_that_is_nearly_full_is_told_of(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, capture ends when the disk is full, and nobody knew that it would be."""
    monkeypatch.setattr(incidents, "room", lambda _: (1024**3, 1000))
    assert found(engine, NOW + MINUTE)["disk_full"].cause.endswith("1.0 GiB are free.")
    monkeypatch.setattr(incidents, "room", lambda _: (1024**4, 0))
    assert "no files can be added" in found(engine, NOW + MINUTE)["disk_full"].cause
