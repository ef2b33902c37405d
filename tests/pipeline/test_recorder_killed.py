"""A recorder that is killed at any moment loses at most its last second, and says since when it was gone."""

import multiprocessing
import random
import signal
import time
from itertools import pairwise
from pathlib import Path

from orchestration.lake import Lake
from orchestration.live_feed import ABSENT
from orchestration.sealing import recover
from tests.pipeline.recording_worker import main
from tests.recording import attempts, payloads

KILLS = 20
PROMISED_SECONDS = 1.0


def said(told: Path) -> dict[str, float]:
    """Every word that was said so far, and when."""
    lines = told.read_text().splitlines() if told.exists() else []
    return {word: float(moment) for moment, _, word in (line.partition(" ") for line in lines)}


def test_killed_again_and_again_nothing_older_than_a_second_is_lost(tmp_path: Path) -> None:
    """If this fails, a crash costs history that no vendor has any more, or hides that there was one."""
    told, rng = tmp_path / "told", random.Random(4)
    # Forked from a process that has everything imported: else most lives would be spent on that.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([main.__module__])
    killed: dict[str, float] = {}
    for _ in range(KILLS):
        before = len(said(told))
        process = context.Process(target=main, args=(tmp_path, told))
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
    recover(Lake(tmp_path / "lake"), tmp_path / "spool")

    kept = [payload.decode() for payload in payloads(tmp_path)]
    words = said(told)
    assert len(kept) == len(set(kept))
    assert set(kept) <= set(words)
    missing = [killed[word] - words[word] for word in set(words) - set(kept)]
    assert max(missing, default=0.0) <= PROMISED_SECONDS
    assert len(kept) > 0.5 * len(words) > 1000

    found = attempts(tmp_path)
    assert sum(one.records or 0 for one in found) == len(kept)
    assert all(before.window_end == after.window_start for before, after in pairwise(found))
    gaps = [one.error for one in found if one.status == "failed"]
    assert gaps.count(ABSENT) > KILLS / 2  # none where it was killed before it said that it was back
    assert set(gaps) <= {ABSENT, "the vendor hung up"}
    assert not list((tmp_path / "spool").rglob("*.spool"))
