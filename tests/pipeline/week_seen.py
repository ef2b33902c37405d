"""Who signed in and out when, who was seen when, and in which part: by brute force over what really happened; no SQL.

Of a sign-in or sign-out that nobody looked at, each figure here is the set of what may be told. Times are whole
microseconds since 1970.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from simulator.beyondtrust_sessions import SupportSession
from simulator.facts import CHANNELS
from tests.pipeline.truth import DAY, micros
from tests.pipeline.week_figures import QUARTER, split
from tests.pipeline.week_people import PERSON, UNLISTED
from tests.pipeline.week_pieces import SECOND, Piece, day_of, whole
from tests.pipeline.week_truth import GAP, OBSERVED, Week
from tests.pipeline.week_work import interaction

Stay = tuple[str, int, int | None]


def stays(week: Week, source: str) -> Iterator[Stay]:
    """Each sign-in of a source's agents, with its end where that had come: the vendor's id, from, to."""
    grain, ids = 1 if source == "cx" else SECOND, week.ids[source]
    for one in week.real.sessions:
        start, end = (at and micros(at) // grain * grain for at in (one["logged_in_at"], one["logged_out_at"]))
        if one["agent_id"] in ids and start is not None and start < OBSERVED[source]:
            yield ids[one["agent_id"]], start, end if end and end < OBSERVED[source] else None


def unseen(at: int) -> bool:
    """Whether nobody looked then: a sign-in may be told as of another instant."""
    return GAP[0] <= at < GAP[1]


def uncertain(week: Week, source: str) -> set[tuple[str, int]]:
    """Sign-ins that are not told of: Kore.ai has no word for one, and nobody saw the agent signed out up to it."""
    found, last_out = set(), dict[str, int | None]()
    for agent, start, end in sorted(stays(week, source), key=lambda stay: stay[:2]) if source == "kore" else ():
        out = last_out.get(agent)
        if out is None or (out < GAP[1] and start >= GAP[0] and (day_of(out) != day_of(start) or out >= GAP[0])):
            found.add((agent, start))
        last_out[agent] = end
    return found


def sign_ins(week: Week, source: str) -> dict[tuple[str, int], int]:
    """How many are told of by agent and quarter of an hour."""
    found: defaultdict[tuple[str, int], int] = defaultdict(int)
    untold = uncertain(week, source)
    for agent, start, _ in stays(week, source):
        if (agent, start) not in untold:
            found[agent, start // QUARTER * QUARTER] += 1
    return dict(found)


def first_and_last(week: Week, source: str) -> dict[tuple[str, date], tuple[set[int | None], set[int | None]]]:
    """By agent and UTC day what may be told as the first sign-in and as the last sign-out."""
    sure: defaultdict[tuple[str, date], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    missed: defaultdict[tuple[str, date], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    untold = uncertain(week, source)
    for agent, start, end in stays(week, source):
        begun = (missed if unseen(start) else sure)[agent, day_of(start)][0]
        begun.extend([] if (agent, start) in untold else [start])
        if end is not None:
            (missed if start < GAP[1] and end > GAP[0] else sure)[agent, day_of(end)][1].append(end)
    return {
        key: (
            {min(sure[key][0], default=None)} | {at for at in missed[key][0] if at < min(sure[key][0], default=2**62)},
            {max(sure[key][1], default=None)} | {at for at in missed[key][1] if at > max(sure[key][1], default=0)},
        )
        for key in [*{**sure, **missed}]
    }


def strange(
    days: Mapping[tuple[str, date], Sequence[int | None]],
    may_be: Mapping[tuple[str, date], tuple[set[int | None], set[int | None]]],
) -> list[tuple[object, ...]]:
    """Days of agents whose first sign-in or last sign-out is none of what may be told, or that are not told of."""
    nothing: tuple[set[int | None], set[int | None]] = ({None}, {None})
    missing: list[tuple[object, ...]] = [(key, None, may_be[key]) for key in may_be if key not in days]
    return missing + [
        (key, told, may_be.get(key))
        for key, told in days.items()
        if any(at not in those for at, those in zip(told[:2], may_be.get(key, nothing), strict=True))
    ]


def seen_between(week: Week, source: str, known: Mapping[str, Sequence[Piece]]) -> dict[str, tuple[int, int]]:
    """By agent when the first record begins, and when the last one ends, or begins where it goes on."""
    found = {}
    for true_id, agent in week.ids[source].items():
        if agent not in known:
            continue
        last = [one for one in known[agent] if one.known][-1]
        at = last.start
        if source == "cx" and last.state != "offline":
            at = max(at, *(one for one in week.starts[true_id] if one < OBSERVED["cx"]))
        elif source == "aicc":
            # What ended within the minutes that are not relied upon yet is shown, too.
            at = week.operations_ended(true_id)[-1]
        found[agent] = known[agent][0].start, at
    return found


def roles(week: Week, source: str) -> dict[tuple[str, str, int], tuple[str, str | None]]:
    """By interaction, agent and joining the role and the channel: at BeyondTrust who had a session last owns it."""
    ids, rows = week.ids[source], defaultdict[str, list[dict[str, Any]]](list)
    for row in week.interactions:
        if row["agent_id"] in ids:
            rows[row["interaction_id"]].append(row)
    found = {}
    for name, parts in rows.items():
        owner = max(parts, key=lambda row: row["joined_at"])["agent_id"]
        channel = None
        if source == "support":
            told = SupportSession(name, 0, 0, CHANNELS.index(parts[0]["channel"]))
            channel = ("chat" if parts[0]["channel"] == "messaging" else "other") if told.has_client else None
        for row in parts:
            role = "owner" if source == "aicc" or row["agent_id"] == owner else "participant"
            key = interaction(week, source, name), ids[row["agent_id"]], whole(row["joined_at"])
            # Reports tell of the last minutes, too; they do not say how somebody came.
            found[key] = role, channel if key[2] < OBSERVED[source] else None
    return found


def person_days(
    people: Mapping[str, Sequence[Piece]],
    tiles: Mapping[str, Mapping[str, Sequence[Piece]]],
    week: Week,
) -> dict[tuple[str, date], tuple[int | None, ...]]:
    """By person and UTC day how many of their agents have rows, and the microseconds of ``PERSON``."""
    sources: defaultdict[tuple[str, date], set[str]] = defaultdict(set)
    for source, told in tiles.items():
        for true_id, agent in week.ids[source].items():
            for one in told.get(agent, ()) if (source, week.numbers[true_id]) not in UNLISTED else ():
                sources[f"P{week.numbers[true_id]}", day_of(one.start)].add(source)
    found = {}
    for person, pieces in people.items():
        rows: defaultdict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(PERSON, 0))
        first = pieces[0].start // DAY * DAY
        for edge, one in split(pieces, [*range(first, pieces[-1].end + DAY, DAY)]):
            length, row = one.end - one.start, rows[edge]
            row[one.state] += length
            row["overlap"] += length * ((one.items or 0) > 1)
            row["staffed"] += length * ((one.items or 0) > 0)
            row["observed"] += length * one.known
        for edge, row in rows.items():
            there = sources[person, day_of(edge)]
            # Kore.ai does not tell who handles; only BeyondTrust does not tell after-contact work.
            silent = ({"handling"} if "kore" in there else set()) | ({"wrap_up"} if there == {"support"} else set())
            found[person, day_of(edge)] = (len(there), *(None if name in silent else row[name] for name in PERSON))
    return found
