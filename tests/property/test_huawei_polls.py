"""Stretches by polls against a plain reference: whatever is polled, in whatever order, sampled time is told alike."""

import itertools
import random
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.huawei import STEP, asked, history, operation, poll, polled, records
from tests.models.workbench import Rows, Workbench, at, short

steps = st.lists(
    st.tuples(st.sampled_from([5, 5, 5, 7, 10, 11, 60]), st.sampled_from([4, 4, 7, 3, None])), min_size=1, max_size=25
)


def sampled(taken: list[tuple[int, int | None]], agent: str = "101") -> list[dict[str, Any]]:
    """Polls at these distances with these states, from eight o'clock on."""
    moment, rows = at("08:00"), []
    for seconds, state in taken:
        moment += timedelta(seconds=seconds)
        rows.append({**poll("08:00", state, agent), "requested_at": moment, "received_at": moment})
    return rows


def reference(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Between two samples the first one's state, if they are near enough; equal neighbours joined."""
    spans: list[tuple[str, str, str]] = []
    for one, following in itertools.pairwise(rows):
        if following["received_at"] - one["received_at"] > timedelta(seconds=2 * STEP):
            continue
        state = str(one["agent_state"]) if one["agent_state"] is not None else "error"
        start, end = short(one["received_at"]), short(following["received_at"])
        if spans and spans[-1][1:] == (start, state):
            spans[-1] = (spans[-1][0], end, state)
        else:
            spans.append((start, end, state))
    return spans


def told(found: Rows) -> list[tuple[str, str, str]]:
    """What the model says up to the last sample."""
    spans = [(row["started_at"], row["ended_at"] or row["last_at"], row["vendor_state"]) for row in found]
    return [(short(start), short(end), state) for start, end, state in spans if end > start]


@settings(max_examples=30)
@given(taken=steps, seed=st.integers(0, 9))
def test_stretches_are_the_samples_held_until_the_next(
    bench: Workbench, taken: list[tuple[int, int | None]], seed: int
) -> None:
    """If this fails, time is claimed that nobody saw, lost though somebody did, or depends on the order of files."""
    rows = sampled(taken)
    mixed = [*rows, *rows[: seed * 2]]
    random.Random(seed).shuffle(mixed)
    assert told(polled(bench, mixed)) == reference(rows)


operations = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 15), st.sampled_from([3, 4, 27, 26, 38, 1, 0])), min_size=1, max_size=8
)


# Several agents in one build, which is mostly planning.
agents = st.lists(st.tuples(steps, operations), min_size=1, max_size=6)


@settings(max_examples=12)
@given(several=agents, seed=st.integers(0, 9))
def test_an_agent_is_in_one_state_at_a_time_whatever_the_feeds_say(
    bench: Workbench, several: list[tuple[list[tuple[int, int | None]], list[tuple[int, int, int]]]], seed: int
) -> None:
    """If this fails, history and polls overlap, and time counts twice, or the order of delivery decides."""
    rows, samples = [], []
    for agent, (taken, done) in zip(map(str, itertools.count(101)), several, strict=False):
        samples += sampled(taken, agent)
        rows.append(asked("08:00", "09:00", agent))
        for begin, length, kind in done:
            start = at("08:00") + timedelta(seconds=begin * 10)
            end = start + timedelta(seconds=0 if kind < 2 else length * 10)
            rows.append(operation(short(start), short(end), kind, call_id="c", agent_id=agent))
    found = records(bench, samples, past=rows)
    for one, following in itertools.pairwise(found):
        if one["agent_id"] == following["agent_id"]:
            assert one["started_at"] < following["started_at"]
            assert one["ended_at"] is None or one["started_at"] < one["ended_at"] <= following["started_at"]
    mixed = [*rows, *rows]
    random.Random(seed).shuffle(mixed)
    assert records(bench, samples, past=mixed) == found
    told_alone = [row for row in history(bench, rows) if not row["is_derived"]]
    assert told_by_history(Rows(told_alone)) <= told_by_history(found)


def told_by_history(found: Rows) -> set[tuple[str, str, str]]:
    """What history tells, in whole or cut by nothing."""
    return {
        (row["agent_id"], short(row["started_at"]), row["vendor_state"])
        for row in found
        if row.get("feed", "cms_history") == "cms_history"
    }
