"""How feeds are doing before anything was built of them, and with what a recorder says."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.live import LiveError
from orchestration.health import feed_health
from orchestration.inputs import midnight
from orchestration.lake import Attempt
from orchestration.resources import Engine
from orchestration.standing import Standing, heard, tell
from tests.pipeline.site import build, day, opened
from tests.pipeline.toy import engine_at, land, shift
from tests.recording import Toy, Vendor, ended, failing, live_feed, pull_feed, saying, silence, until

NAME = "cx/agent_states"
# What goes on with the clock.
PASSING = {"lag_seconds", "hours_to_loss"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A day of attempts, one after it that failed, and nothing built."""
    engine = engine_at(tmp_path_factory.mktemp("health") / "home")
    land(engine, day(0), shift("ann", day(0)))
    since, later = midnight(day(1)), midnight(day(1)) + timedelta(hours=1)
    failed = Attempt("cx", "agent_states", since, since + timedelta(minutes=10), later, "failed", error="503")
    engine.lake.log("cxengage", [failed])
    return engine


def health(engine: Engine, now: datetime | None = None) -> dict[str, Any]:
    """The one row."""
    [row] = feed_health(engine, now)
    return row


def test_figures_without_a_build_are_those_after_it(engine: Engine) -> None:
    """If this fails, what is told of a source depends on whether somebody built something."""
    before = health(engine)
    assert before["observed_until"]
    assert before["last_error"] == "503"
    build(engine, [day(number) for number in range(2)])
    with opened(engine.settings.home) as connection:
        found = connection.execute("select * from ops.source_health")
        told = dict(zip([column[0] for column in found.description], found.fetchall()[0], strict=True))
    for after in (told, health(engine)):
        assert {name: before[name] for name in after if name not in PASSING} == {
            name: value for name, value in after.items() if name not in PASSING
        }
        for name in PASSING:
            assert after[name] == pytest.approx(before[name], rel=1e-3)


def test_what_the_recorder_says_is_newer_than_the_log(engine: Engine) -> None:
    """If this fails, an error that is over stays, one that is new waits for the log, or the lag is that of the log."""
    now, spool = datetime.now(UTC), engine.settings.spool_dir
    tell(spool, NAME, Standing(now, now - timedelta(seconds=30)))
    row = health(engine, now)
    assert (row["last_error"], row["is_recorded"], row["observed_until"]) == (None, True, now - timedelta(seconds=30))
    assert row["lag_seconds"] == pytest.approx(30 + (row["clock_drift_seconds"] or 0))
    tell(spool, NAME, Standing(now, trouble="the vendor hung up"))
    row = health(engine, now)
    assert (row["last_error"], row["is_recorded"]) == ("the vendor hung up", False)


def test_a_recorder_that_has_not_told_lately_is_gone(engine: Engine) -> None:
    """If this fails, the last words of a killed recorder say for ever that all is well."""
    now, spool = datetime.now(UTC), engine.settings.spool_dir
    tell(spool, NAME, Standing(now - timedelta(minutes=1)))
    assert heard(spool, NAME, now) is None
    assert health(engine, now)["is_recorded"] is False
    assert heard(spool, "nobody/nothing") is None


def test_half_a_word_is_none(tmp_path: Path) -> None:
    """If this fails, a full disk makes the command end with a trace."""
    tell(tmp_path, "one/words", Standing(datetime.now(UTC)))
    [path] = tmp_path.rglob("*.json")
    path.write_bytes(path.read_bytes()[:-4])
    assert heard(tmp_path, "one/words") is None
    tell(path, "one/words", Standing(datetime.now(UTC)))  # below a file nothing can be written


def test_a_live_feed_says_how_it_stands(tmp_path: Path) -> None:
    """If this fails, a vendor that hangs looks as if it were being connected to, or a healthy one sick."""

    async def run(*script: Any) -> list[Standing]:
        feed = live_feed(tmp_path, Toy(*script))
        found = [feed.standing()]
        task = asyncio.create_task(feed.run())
        await until(lambda: feed.standing().trouble or feed.standing().observed_until)
        found.append(feed.standing())
        await ended(task)
        return found

    idle, hanging = asyncio.run(run(silence))
    assert (idle.trouble, idle.observed_until) == (None, None)
    assert "one/words: no answer for" in str(hanging.trouble)
    assert asyncio.run(run(failing(LiveError("refused"))))[1].trouble == "refused"
    assert asyncio.run(run(saying(b"a")))[1].trouble is None


def test_a_pull_feed_says_how_it_stands(tmp_path: Path) -> None:
    """If this fails, a vendor that hangs is told after its time limit of minutes, and all is well until then."""
    vendor, blocked = Vendor(), [True]

    async def run() -> None:
        feed = pull_feed(tmp_path, vendor)
        assert feed.standing().trouble is None
        task = asyncio.create_task(feed.run())
        await until(lambda: "one/events: no answer for" in str(feed.standing().trouble))
        blocked.clear()
        await until(lambda: feed.standing().observed_until and feed.standing().trouble is None)
        await ended(task)

    def wait() -> None:
        while blocked:
            time.sleep(0.005)

    vendor.before = wait
    asyncio.run(run())
