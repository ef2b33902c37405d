"""Who had which interaction when, and handed it to whom, as each vendor that names interactions tells it.

By brute force over what really happened; no figures. Times are whole microseconds since 1970.
"""

from typing import Any

from simulator.faults import share
from simulator.huawei_states import HuaweiDialect
from tests.pipeline.truth import micros
from tests.pipeline.week_pieces import SECOND, Moved, whole
from tests.pipeline.week_truth import Week

RELEASED = HuaweiDialect().release_transfers


def parts(week: Week, source: str) -> set[tuple[str, str, int, int | None]]:
    """Who took part in what: interaction, agent, from when to when; only of vendors that name interactions."""
    ids = week.ids[source]
    return {
        (
            interaction(week, source, row["interaction_id"]),
            ids[row["agent_id"]],
            whole(row["joined_at"]),
            row["left_at"] and whole(row["left_at"]),
        )
        for row in week.interactions
        if row["agent_id"] in ids
    }


def moves(week: Week, source: str) -> list[Moved]:
    """What a source's agents handed over, as its vendor tells it."""
    ids = week.ids[source]
    return [_moved(week, source, row) for row in week.real.transfers if row["from_agent_id"] in ids]


def ambiguous(week: Week, source: str) -> set[str]:
    """What a stranger handed on to this platform within moments of a colleague's having handed it to the stranger.

    On the platform one act's messages lie a moment apart, too: whose act it was cannot be told.
    """
    ids, moment = week.ids[source], 3 * SECOND
    left = {
        (interaction(week, source, row["interaction_id"]), row["left_at"] and whole(row["left_at"]))
        for row in week.interactions
        if row["agent_id"] in ids
    }
    rows = [row for row in week.real.transfers if row["from_agent_id"] not in ids and row["to_agent_id"] in ids]
    handed = {(interaction(week, source, row["interaction_id"]), whole(row["started_at"])) for row in rows}
    return {
        name
        for name, at in handed
        for other, end in left
        if name == other and end is not None and 0 <= at - end < moment
    }


def _moved(week: Week, source: str, row: dict[str, Any]) -> Moved:
    grain = 1 if source == "cx" else SECOND
    start, end = (at and micros(at) // grain * grain for at in (row["started_at"], row["completed_at"]))
    kind, receiver = "agent", week.ids[source].get(row["to_agent_id"])
    if source == "cx":
        receiver = row["to_agent_id"]
    elif source == "support" and receiver is None:
        # Who is not on this platform is reached through everybody's queue, which has it at once.
        kind, receiver, end = "queue", "general", start
    elif receiver is None:
        kind = "external"  # to which number is not said
    elif source == "aicc" and row["kind"] != "consult" and share(row["interaction_id"]) < RELEASED:
        # Of a call that was released nobody says to whom.
        kind, receiver = "unknown", None
    how = "unknown"
    if source == "support":
        how = row["kind"] if kind == "agent" else "blind"
    elif source == "aicc" and kind == "unknown":
        how = "blind"
    name = interaction(week, source, row["interaction_id"])
    return Moved(name, week.ids[source][row["from_agent_id"]], kind, receiver, start, end, how)


def interaction(week: Week, source: str, name: str) -> str:
    """A vendor's id of what was one piece of work."""
    if source == "aicc":
        return week.call_ids[name]
    return name.replace("-", "") if source == "support" else name
