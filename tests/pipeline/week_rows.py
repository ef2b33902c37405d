"""Rows of the week's timeline, one by one: since when each state lasts, whether it goes on, and how it is known."""

from bisect import bisect_right

from orchestration.inputs import midnight
from tests.pipeline.truth import micros
from tests.pipeline.week_ours import Read
from tests.pipeline.week_pieces import Piece
from tests.pipeline.week_truth import GAP, OBSERVED, is_inferred_offline

ROWS = """
select agent_id, date, epoch_us(started_at), epoch_us(ended_at), round(seconds * 1e6)::bigint, state,
    epoch_us(state_started_at), is_open, evidence, uncertainty_seconds
from marts.fct_agent_timeline where source = $source
"""
CERTAIN = {"cx": 0.0, "kore": 1.0, "aicc": 1.0, "support": 1.0}
"""How many seconds a boundary may be off."""


def compare_rows(week: Read, source: str) -> None:
    """Hold what each row says of itself against what is known.

    Raises:
        AssertionError: A row says otherwise.
    """
    wrong, seen = [], set()
    for agent, day, start, end, us, state, since, is_open, evidence, uncertainty in week.ask(ROWS, source=source):
        one = _holding(week.known[source][agent], start)
        midday = micros(midnight(day))
        told = since if state != "unobserved" else None, is_open, evidence
        true = said_of(source, one, midday, end) if one else (None, False, "none")
        if (us, *told) != (end - start, *true) or uncertainty != CERTAIN[source]:
            wrong.append((agent, day, start, told, true))
        seen.add(evidence)
    assert not wrong[:10]
    assert seen == {"none", "derived", "carried", "reported"}


def _holding(pieces: list[Piece], at: int) -> Piece | None:
    place = bisect_right([one.start for one in pieces], at) - 1
    return pieces[place] if place >= 0 else None


def said_of(source: str, one: Piece, day: int, end: int) -> tuple[int | None, bool, str]:
    """What a row up to ``end`` says of a piece, on a day that begins then: since when, whether it goes on, evidence."""
    if not one.known:
        return None, False, "none"
    is_nobody = is_inferred_offline(source, one)
    since = max(one.start, day) if is_nobody else one.start
    goes_on = end == OBSERVED[source] and not (source == "aicc" and one.state != "offline")
    is_inferred = is_nobody or (source, one.state) in {("aicc", "available"), ("cx", "offline")}
    if is_inferred or end == one.end == GAP[0]:
        return since, goes_on, "derived"
    return since, goes_on, "carried" if one.start < day else "reported"
