"""Persons and adherence over any days of any agents: the SQL finds what plain Python finds."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.csv_tables import Schedule, Who, read_adherence_map
from tests.models.people import ADHERENCE, ANN, BUILT_IN, PERSONS, STATES, member, quarters
from tests.models.workbench import DAY, Rows, Workbench, at
from tests.property.reference_people import ORDER, Span, adherence, person

BEGIN = at("00:00")
RULES = {(row["activity"], row["state"]): row["adherence"] for row in read_adherence_map([BUILT_IN])}
FIGURES = {
    "scheduled_seconds": "scheduled",
    "scheduled_work_seconds": "work",
    "worked_seconds": "worked",
    "adherent_seconds": "in",
    "out_of_adherence_seconds": "out",
    "neutral_seconds": "neutral",
    "observed_seconds": "observed",
}

# Whole quarters, a second's and a microsecond's distance from them, and anything.
marks = st.one_of(
    st.integers(1, 95).map(lambda n: n * timedelta(minutes=15)),
    st.builds(
        lambda n, us: n * timedelta(minutes=15) + timedelta(microseconds=us),
        st.integers(1, 95),
        st.sampled_from([-1_000_000, -1, 1, 7]),
    ),
    st.integers(1, 86_399_999_999).map(lambda us: timedelta(microseconds=us)),
)


def tiled(draw: st.DrawFn, words: st.SearchStrategy[str], *, until: timedelta = timedelta(days=1)) -> list[Span]:
    """Spans that join, from midnight to ``until``."""
    cuts = sorted({cut for cut in draw(st.lists(marks, max_size=6)) if cut < until})
    edges: list[datetime] = [BEGIN, *(BEGIN + cut for cut in cuts), BEGIN + until]
    return [Span(s, e, draw(words)) for s, e in pairwise(edges)]


@st.composite
def agents_of_one(draw: st.DrawFn) -> list[list[Span]]:
    """One to three agents, each observed until some time of the day; some without rows."""
    until = st.one_of(st.just(timedelta(days=1)), marks)
    return [
        tiled(draw, st.sampled_from(ORDER), until=draw(until)) if draw(st.integers(0, 4)) else []
        for _ in range(draw(st.integers(1, 3)))
    ]


def timeline(agent: str, spans: list[Span]) -> list[dict[str, Any]]:
    """The rows of an agent's timeline."""
    return [
        {"source": "cx", "agent_id": agent, "started_at": s.start, "ended_at": s.end, "state": s.what} for s in spans
    ]


@given(agents_of_one(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_a_person_is_all_of_their_agents_and_no_second_counts_twice(
    bench: Workbench, agents: list[list[Span]], order: Any
) -> None:
    """If this fails, a person's day has a hole or an hour too many, or depends on the order of rows."""
    rows = [row for n, spans in enumerate(agents) for row in timeline(f"a{n}", spans)]
    order.shuffle(rows)
    roster = [member("p1", agent=f"a{n}") for n in range(len(agents))]
    found = bench.run(PERSONS, fct_agent_timeline=rows, roster=roster)
    told = [(r["started_at"], r["ended_at"], r["state"], r["staffed_agents"]) for r in found]
    assert told == person(agents)


@st.composite
def day_of_one(draw: st.DrawFn) -> list[Span]:
    """What an agent did, observed until some time of the day."""
    until = draw(st.one_of(st.just(timedelta(days=1)), marks))
    return tiled(draw, st.sampled_from(ORDER), until=until)


@st.composite
def plans(draw: st.DrawFn) -> list[Span]:
    """What is planned for a day, with time between."""
    words = st.sampled_from(["phone", "Lunch", "training", "vacation", "nonsense", "-", "-"])
    return [span for span in tiled(draw, words) if span.what != "-"]


def judged(bench: Workbench, who: Who, plan: list[Span], spans: list[Span], threshold: float) -> Rows:
    """The quarters of an hour of an agent who had this plan and did that."""
    names = dict(zip(("source", "agent_id", "person_id"), who, strict=True))
    rows = [{**names, "started_at": s.start, "ended_at": s.end, "activity": s.what} for s in plan]
    schedule = Schedule({DAY: {who: rows}}).on(DAY)
    states = bench.run(STATES, schedule=schedule, fct_agent_timeline=timeline("ann", spans))
    verdicts = read_adherence_map([BUILT_IN], threshold)
    stretches = bench.run(ADHERENCE, schedule=schedule, int_scheduled_states=states, adherence_map=verdicts)
    return quarters(bench, stretches)


@given(plans(), day_of_one(), st.sampled_from([0.0, 1.0, 900.0, 4000.5]))
@settings(max_examples=30)
def test_each_quarter_of_an_hour_is_what_brute_force_finds(
    bench: Workbench, plan: list[Span], spans: list[Span], threshold: float
) -> None:
    """If this fails, time is judged by a plan of another hour, or a deviation is measured in pieces."""
    found = judged(bench, ANN, plan, spans, threshold)
    lowered = [Span(s.start, s.end, s.what.lower()) for s in plan]
    expected = adherence(lowered, spans, RULES, timedelta(seconds=threshold))
    assert {row["interval_start"]: {name: round(row[name] * 1e6) for name in FIGURES} for row in found} == {
        quarter: {name: sums.get(kind, timedelta(0)) // timedelta(microseconds=1) for name, kind in FIGURES.items()}
        for quarter, sums in expected.items()
    }
