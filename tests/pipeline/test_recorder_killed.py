"""A recorder that is killed at any moment loses at most its last second, and says since when it was gone."""

import multiprocessing
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from orchestration.lake import Attempt, Lake
from orchestration.live_feed import ABSENT
from orchestration.resources import Engine
from orchestration.sealing import recover
from orchestration.settings import load_settings
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect
from tests.pipeline.recording_worker import main, word_of
from tests.pipeline.site import build, opened
from tests.recording import attempts, payloads

KILLS = 20
PROMISED_SECONDS = 1.0
SOURCE, POLL_SECONDS = "aicc", 0.2
# An hour of the centre's morning passes while the recorder is killed; its people are polled by our clock.
SPEED = 150.0
TOTALS = """
select agent_id, sum(epoch_us(ended_at) - epoch_us(started_at))::bigint,
    sum(epoch_us(ended_at) - epoch_us(started_at)) filter (where state <> 'unobserved')::bigint,
    count(distinct state)
from marts.fct_agent_timeline
group by agent_id
"""
BUCKETS = """
select agent_id, sum(observed_seconds), sum(unobserved_seconds) from marts.fct_agent_intervals group by agent_id
"""
# Microseconds of agents' states within what the feed's coverage calls so.
WITHIN = """
select c.status, t.state = 'unobserved' as is_unobserved,
    sum(epoch_us(least(t.ended_at, c.window_end)) - epoch_us(greatest(t.started_at, c.window_start)))::bigint
from marts.fct_agent_timeline as t
inner join ops.feed_coverage as c
    on t.source = c.source and t.started_at < c.window_end and t.ended_at > c.window_start
group by all
"""


@contextmanager
def gateway(folder: Path, centre: Centre) -> Iterator[Path]:
    """The configuration of a source whose agents are polled."""
    guids, morning = folder / "guids.json", datetime(2026, 11, 3, 9, tzinfo=UTC)
    clock, dialect = SimClock(morning, running=True, speed=SPEED), HuaweiDialect(guid_rotation=False)
    with HuaweiServer(centre, clock, dialect=dialect, guid_file=guids) as server:
        source = {"name": SOURCE, "vendor": "huawei", "base_url": server.base_url, "guid_file": str(guids)}
        config = folder / "sources.yaml"
        config.write_text(yaml.safe_dump({"sources": [{**source, "poll_seconds": POLL_SECONDS}]}))
        yield config


def said(told: Path) -> dict[str, float]:
    """Every word that was said so far, and when."""
    lines = told.read_text().splitlines() if told.exists() else []
    return {word: float(moment) for moment, _, word in (line.partition(" ") for line in lines)}


def answers(home: Path) -> list[str]:
    """What tells the gateway's answers apart that are in the lake."""
    files = (home / "lake" / "raw" / "huawei").rglob("*.parquet")
    rows = [row for file in files for row in pq.ParquetFile(file).read(columns=["received_at", "request"]).to_pylist()]
    return [word_of(row["received_at"], row["request"]) for row in rows]


def killed_again_and_again(home: Path, told: Path, sources: Path) -> dict[str, float]:
    """Let a recorder live a moment, so many times; when whatever was said was followed by a kill."""
    rng = random.Random(4)
    # Forked from a process that has everything imported: else most lives would be spent on that.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([main.__module__])
    killed: dict[str, float] = {}
    for _ in range(KILLS):
        before = len(said(told))
        process = context.Process(target=main, args=(home, told, sources))
        process.start()
        while len(said(told)) == before and process.is_alive():
            time.sleep(0.01)
        time.sleep(rng.uniform(0.05, 1.3))
        process.kill()
        killed_at = time.time()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        words = said(told)
        killed |= {word: killed_at for word in words if word not in killed}
    recover(Lake(home / "lake"), home / "spool")
    return killed


def test_killed_again_and_again_nothing_older_than_a_second_is_lost(tmp_path: Path, centre: Centre) -> None:
    """If this fails, a crash costs history that no vendor has any more, hides that there was one, or spoils a total."""
    told = tmp_path / "told"
    with gateway(tmp_path, centre) as sources:
        killed = killed_again_and_again(tmp_path, told, sources)
        engine = Engine(load_settings(tmp_path, sources))

    kept = [payload.decode() for payload in payloads(tmp_path)] + answers(tmp_path)
    words = said(told)
    assert len(kept) == len(set(kept))
    assert set(kept) <= set(words)
    missing = [killed[word] - words[word] for word in set(words) - set(kept)]
    assert max(missing, default=0.0) <= PROMISED_SECONDS
    assert len(kept) > 0.5 * len(words) > 1000

    heard, polled = attempts(tmp_path), attempts(tmp_path, "agent_status", SOURCE, "huawei")
    for found in (heard, polled):
        assert all(before.window_end == after.window_start for before, after in pairwise(found))
        gaps = [one.error for one in found if one.status == "failed"]
        assert gaps.count(ABSENT) > KILLS / 2  # none where it was killed before it said that it was back
        assert set(gaps) <= {ABSENT, "the vendor hung up"}
    assert sum(one.records or 0 for one in heard + polled) == len(kept)
    assert not list((tmp_path / "spool").rglob("*.spool"))
    adds_up(engine, polled)


def adds_up(engine: Engine, found: list[Attempt]) -> None:
    """See to it that what agents did and what nobody saw come to the time from midnight on, and gaps to the latter."""
    days = sorted({one.window_start.date() for one in found})
    build(engine, days)
    with opened(engine.settings.home) as connection:
        totals = connection.execute(TOTALS).fetchall()
        buckets = connection.execute(BUCKETS).fetchall()
        within = {(status, unseen): us for status, unseen, us in connection.execute(WITHIN).fetchall()}
    midnight = datetime.combine(days[0], datetime.min.time(), UTC)
    until = max(one.window_end for one in found if one.status == "ok")
    watched = sum((one.window_end - one.window_start for one in found if one.status == "ok"), timedelta())
    assert len(totals) > 3
    for _, total, observed, states in totals:
        assert timedelta(microseconds=total) == until - midnight
        assert timedelta() < timedelta(microseconds=observed) <= watched
        assert states > 1
    for _, observed, unobserved in buckets:
        assert timedelta(seconds=observed + unobserved) == until - midnight  # a timedelta has microseconds
    # Nobody is seen in a gap, and not much is unseen beside it: less than two polls an agent and kill.
    assert ("missing", False) not in within
    assert within["observed", True] < len(totals) * KILLS * 2 * POLL_SECONDS * 1e6 + within["observed", False]
