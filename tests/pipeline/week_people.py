"""Who is who on which platform and what was planned for them in the week, and what follows, by plain Python.

The rules are those of docs/people.md. Times are whole microseconds since 1970.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from orchestration.inputs import midnight
from tests.pipeline.truth import DAY, micros
from tests.pipeline.week_days import DAYS
from tests.pipeline.week_figures import QUARTER, split
from tests.pipeline.week_pieces import Piece, day_of, merged, unknown

RANK = ("handling", "wrap_up", "not_ready", "available", "unobserved", "offline")
"""Of a person's agents the first of these counts."""
PERSON = (*RANK, "overlap", "staffed", "observed")
"""What is summed of a person's day."""
PLAN = ((9, 12, "On Queue"), (12, 12.5, "Lunch"), (12.5, 17, "On Queue"))
"""Hours of each day, UTC, as planned for the first agents."""
NIGHT = ((22, 30, "On Queue"),)
PLANNED = range(6)
WORKER = 7
"""Who is planned as a person, by night."""
TEAMS = ("Red", "Green", "Blue")
MOVED = DAYS[3]
MOVES = {2, 12, 17}
"""Who is in another team from that day on."""
UNLISTED = {("kore", 9), ("aicc", 18)}
"""Agents whom the roster does not name."""
WORK = {"available", "handling", "wrap_up"}
FIGURES = ("scheduled", "scheduled_work", "worked", "adherent", "out_of_adherence", "neutral", "observed")
Pieces = Mapping[str, Mapping[str, Sequence[Piece]]]
Row = tuple[int, ...]
Stretch = tuple[int, int, str | None, str, str | None]
MIDNIGHTS = [micros(midnight(day)) for day in DAYS]


def write_files(folder: Path, ids: Mapping[str, Mapping[str, str]], numbers: Mapping[str, int]) -> dict[str, str]:
    """Write roster and schedule; returns the keys that name them."""
    rows = [",".join(map(str, row)) for row in roster(ids, numbers)]
    (folder / "roster.csv").write_text(
        "\n".join(["source,agent_id,person_id,display_name,team,site,valid_from,valid_to", *rows, ""])
    )
    of = {number: true_id for true_id, number in numbers.items()}
    rows = [f"cx,{of[number]},,{hours}" for number in PLANNED for hours in _hours(PLAN)]
    rows += [f",,P{WORKER},{hours}" for hours in _hours(NIGHT)]
    (folder / "schedule.csv").write_text(
        "\n".join(["source,agent_id,person_id,started_at,ended_at,activity", *rows, ""])
    )
    return {"roster": "roster.csv", "schedule": "schedule.csv"}


def roster(ids: Mapping[str, Mapping[str, str]], numbers: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Source, agent, person, name, team, site, first day and first day no more; empty where there is none."""
    for source, own in ids.items():
        for true_id, name in own.items():
            number = numbers[true_id]
            who = source, name, f"P{number}", f"Person {number}"
            site = "Berlin" if number < 10 else "Pune"
            if (source, number) in UNLISTED:
                continue
            if number in MOVES:
                yield *who, TEAMS[number % 3], site, "", str(MOVED)
                yield *who, TEAMS[(number + 1) % 3], site, str(MOVED), ""
            else:
                yield *who, TEAMS[number % 3], site, "", ""


def _hours(plan: Sequence[tuple[float, float, str]]) -> Iterator[str]:
    for day in DAYS:
        for start, end, activity in plan:
            first, last = (midnight(day) + timedelta(hours=hours) for hours in (start, end))
            yield f"{first.isoformat()},{last.isoformat()},{activity}"


def persons(tiles: Pieces, ids: Mapping[str, Mapping[str, str]], numbers: Mapping[str, int]) -> dict[str, list[Piece]]:
    """What each person did: state, the first reason of it, and as ``items`` how many of their agents were signed in."""
    own: defaultdict[str, list[Sequence[Piece]]] = defaultdict(list)
    for source, told in tiles.items():
        names = {name: true_id for true_id, name in ids[source].items()}
        for agent, pieces in told.items():
            if (source, numbers[names[agent]]) not in UNLISTED:
                own[f"P{numbers[names[agent]]}"].append(pieces)
    return {person: merged(_laid(agents)) for person, agents in own.items()}


def _laid(agents: Sequence[Sequence[Piece]]) -> Iterator[Piece]:
    """The days of several agents over each other; those without rows on a day take no part in it."""
    for day in DAYS:
        there = [found for one in agents if (found := [piece for piece in one if day_of(piece.start) == day])]
        edges = sorted({at for found in there for one in found for at in (one.start, one.end)})
        begins = [[one.start for one in found] for found in there]
        for start, end in pairwise(edges):
            last = [found[bisect_right(at, start) - 1] for found, at in zip(there, begins, strict=True)]
            states = [one.state if one.end > start else "unobserved" for one in last]
            staffed = sum(RANK.index(state) < RANK.index("unobserved") for state in states)
            first = min(states, key=RANK.index)
            says = {one.says for one, state in zip(last, states, strict=True) if state == first == one.state}
            yield Piece(start, end, first, min((one for one in says if one), default=None), items=staffed)


def of_agent(known: Sequence[Piece]) -> list[Piece]:
    """All days of the week of an agent who is planned."""
    return merged([unknown(MIDNIGHTS[0], known[0].start), *known])


def of_person(laid: Sequence[Piece], known: Sequence[Sequence[Piece]], until: int) -> list[Piece]:
    """All days of the week of a person who is planned: what is known of them all, else as long as they were signed out.

    Args:
        laid: The person's days that have rows.
        known: What is known of each of their agents.
        until: The latest observed-until time of any.
    """
    found: list[Piece] = []
    for start in MIDNIGHTS:
        end = min(start + DAY, until)
        own = [one for _, one in split(laid, [start, end])]
        if not own:
            last = [[one for one in pieces if one.start < start][-1] for pieces in known if pieces[0].start < start]
            out = min((min(one.end, end) if one.state == "offline" else start for one in last), default=start)
            own = [Piece(start, max(out, start), "offline"), unknown(max(out, start), end)]
        found += own
    return [one for one in found if one.start < one.end]


def stretches(pieces: Sequence[Piece], plan: Sequence[tuple[float, float, str]]) -> list[Stretch]:
    """From when to when something was done beside what was planned: start, end, activity, state and reason, by day."""
    spans = [
        (micros(midnight(day)) + int(start * 4) * QUARTER, micros(midnight(day)) + int(end * 4) * QUARTER, activity)
        for day in DAYS
        for start, end, activity in plan
    ]
    edges = sorted({at for span in spans for at in span[:2]} | {*MIDNIGHTS, MIDNIGHTS[-1] + DAY})
    found: list[Stretch] = []
    for _, one in split(pieces, edges):
        activity = next((name for start, end, name in spans if start <= one.start < end), None)
        told = activity, one.state, one.says
        if found and found[-1][1:] == (one.start, *told) and one.start not in MIDNIGHTS:
            found[-1] = found[-1][0], one.end, *told
        else:
            found.append((one.start, one.end, *told))
    return found


def verdict(activity: str | None, state: str) -> str:
    """Whether what was done keeps to what was planned: in, out or neutral."""
    if activity is None or state == "unobserved":
        return "neutral"
    return "in" if (state in WORK) == (activity == "On Queue") else "out"


def adherence(told: Sequence[Stretch]) -> dict[int, Row]:
    """By quarter of an hour the microseconds of ``FIGURES``, where anything was planned or somebody signed in."""
    rows: defaultdict[int, list[int]] = defaultdict(lambda: [0] * len(FIGURES))
    kept = set()
    for start, end, activity, state, _ in told:
        counts = (
            activity is not None, activity == "On Queue" and state != "unobserved", state in WORK,
            *(verdict(activity, state) == one for one in ("in", "out", "neutral")), state != "unobserved",
        )  # fmt: skip
        edges = [(start // QUARTER + n) * QUARTER for n in range((end - start) // QUARTER + 3)]
        for edge, part in split([Piece(start, end, state)], edges):
            rows[edge] = [us + (part.end - part.start) * one for us, one in zip(rows[edge], counts, strict=True)]
            if activity or state not in {"offline", "unobserved"}:
                kept.add(edge)
    return {edge: tuple(rows[edge]) for edge in kept}
