"""Boundaries by polls against a true course of states: each lies as near to the truth as it says.

An answer is true at some instant between asking and reply, and whole seconds are cut. Which samples hold until when
belongs in ``test_huawei_polls.py``.
"""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.huawei import STEP, cms, cms_polled, poll, polled
from tests.models.workbench import Rows, Workbench, at

CODES = (0, 1, 5, 6, 7)
UNKNOWN = 4294967295
MILLISECOND = timedelta(milliseconds=1)
Given = list[dict[str, Any]]


@dataclass(frozen=True)
class State:
    """What was true from ``start`` until ``end``."""

    code: int
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Sample:
    """An answer: asked for, true and received when."""

    asked: datetime
    true: datetime
    received: datetime


lengths = st.one_of(st.integers(100, 3_000), st.integers(1_000, 15_000), st.integers(10_000, 60_000))
courses = st.lists(st.tuples(lengths, st.integers(1, len(CODES) - 1)), min_size=1, max_size=25)
replies = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=8, max_size=30)
slowest = st.sampled_from([100, 2_000, 4_000])


def course(steps: list[tuple[int, int]]) -> list[State]:
    """States of these lengths in milliseconds, each another one than that before; the last never ends."""
    moment, place, found = at("07:59:40"), 0, []
    for length, further in steps:
        place = (place + further) % len(CODES)
        found.append(State(CODES[place], moment, moment + length * MILLISECOND))
        moment = found[-1].end
    return [*found[:-1], State(found[-1].code, found[-1].start, at("24:00"))]


def samples(taken: list[tuple[float, float]], longest: int) -> list[Sample]:
    """Answers that take up to so many milliseconds, five seconds apart or as soon as the one before has come."""
    asked, found = at("08:00"), []
    for share, when in taken:
        took = max(round(share * longest), 1) * MILLISECOND
        found.append(Sample(asked, asked + when * took, asked + took))
        asked = max(asked + timedelta(seconds=STEP), found[-1].received)
    return found


def answered(states: list[State], taken: list[Sample], *, by_cms: bool) -> Given:
    """What the vendor says: CC-CMS cuts its seconds, and of the first state it knows no earlier one."""
    rows = []
    for one in taken:
        place = next(place for place, state in enumerate(states) if state.start <= one.true < state.end)
        state = states[place]
        times: dict[str, Any] = {"requested_at": one.asked, "received_at": one.received}
        if not by_cms:
            rows.append({**poll("08:00", state.code), **times})
            continue
        before = states[place - 1] if place else None
        rows.append(
            cms("08:00", state.code, whole(one.true - state.start), **times)
            | {
                "prev_state": before.code if before else None,
                "prev_state_seconds": whole(before.end - before.start) if before else UNKNOWN,
            }
        )
    return rows


def whole(length: timedelta) -> int:
    """Seconds without their fraction."""
    return length // timedelta(seconds=1)


def beyond(found: Rows, states: list[State], *, before_alone: bool) -> list[tuple[Any, ...]]:
    """Boundaries that lie further from every true beginning of their state than they say."""
    wrong = []
    for row in found:
        room = timedelta(microseconds=row["uncertainty_us"])
        if not room or (before_alone and row["is_derived"]):
            continue  # where the watching begins, no state does
        late = [row["started_at"] - state.start for state in states if str(state.code) == row["vendor_state"]]
        if not any((timedelta(0) if before_alone else -room) <= by <= room for by in late):
            wrong.append((row["started_at"], row["vendor_state"], room, late))
    return wrong


def lost(found: Rows, states: list[State], taken: list[Sample]) -> list[State]:
    """States that two polls saw, and that no stretch tells."""
    told = []
    for row in found:
        start = row["started_at"] - timedelta(microseconds=row["uncertainty_us"])
        told.append((row["vendor_state"], start, row["ended_at"] or at("24:00")))
    return [
        state
        for state in states
        if sum(state.start <= one.true < state.end for one in taken) > 1
        and not any(code == str(state.code) and start < state.end and end > state.start for code, start, end in told)
    ]


@pytest.mark.parametrize("feed", ["cms_status", "agent_status"])
@settings(max_examples=60)
@given(steps=courses, waits=replies, longest=slowest)
def test_each_boundary_is_as_near_to_the_truth_as_it_says(
    bench: Workbench, steps: list[tuple[int, int]], waits: list[tuple[float, float]], longest: int, feed: str
) -> None:
    """If this fails, figures of occupancy lie outside the bounds that are printed beside them, or a state is lost."""
    states, taken, by_cms = course(steps), samples(waits, longest), feed == "cms_status"
    rows = answered(states, taken, by_cms=by_cms)
    found = cms_polled(bench, rows) if by_cms else polled(bench, rows)
    assert beyond(found, states, before_alone=not by_cms) == []
    assert lost(found, states, taken) == []
    for one, following in itertools.pairwise(found):
        assert one["started_at"] < following["started_at"]
        assert one["ended_at"] is None or one["ended_at"] <= following["started_at"]


@settings(max_examples=30)
@given(steps=courses, waits=replies)
def test_after_slow_replies_boundaries_are_as_near_as_they_say(
    bench: Workbench, steps: list[tuple[int, int]], waits: list[tuple[float, float]]
) -> None:
    """A gap is bridged by what the vendor tells of it; if this fails, it is told more exactly than it is known."""
    states, taken = course(steps), samples(waits, 12_000)
    assert beyond(cms_polled(bench, answered(states, taken, by_cms=True)), states, before_alone=False) == []
    assert beyond(polled(bench, answered(states, taken, by_cms=False)), states, before_alone=True) == []
