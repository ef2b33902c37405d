"""Sessions of the week, ours beside the true ones; what a session is stands in docs/metrics.md."""

from tests.pipeline.truth import micros
from tests.pipeline.week_ours import Read
from tests.pipeline.week_truth import GAP, OBSERVED


def compare_sessions(week: Read, source: str) -> None:
    """Hold each session of a source against the sign-in that it was.

    Raises:
        AssertionError: One is missing, told otherwise, or was not.
        KeyError: One is missing.
    """
    grain = 1 if source == "cx" else 1_000_000
    ids, until = week.week.ids[source], OBSERVED[source]
    sql = (
        "select agent_id, epoch_us(logged_in_at), epoch_us(logged_out_at), round(seconds * 1e6)::bigint, is_open, "
        "ended_by from marts.fct_agent_sessions where source = $source"
    )
    ours = {tuple(row[:2]): tuple(row[2:]) for row in week.ask(sql, source=source)}
    reported, begun = "derived" if source == "cx" else "reported", set(ours)
    for one in week.week.real.sessions:
        if one["agent_id"] not in ids or micros(one["logged_in_at"]) >= until:
            continue
        start, end = (at and micros(at) // grain * grain for at in (one["logged_in_at"], one["logged_out_at"]))
        end = end if end and end < until else None
        if start < GAP[1] and (end or until) > GAP[0]:
            # The end of what was going on then may have been missed, never invented.
            found = ours.pop((ids[one["agent_id"]], start), (None, None, None, None))
            assert found[0] in {None, end}
            continue
        # Who signs in again within the second has replaced the session, as far as whole seconds tell.
        words = {"replaced", reported} if (ids[one["agent_id"]], end) in begun else {reported}
        found = ours.pop((ids[one["agent_id"]], start))
        if end:
            assert found[:3] == (end, end - start, False)
            assert found[3] in words
        elif week.known[source][ids[one["agent_id"]]][-1].known:
            assert found == (None, until - start, True, "open")
        else:
            # Huawei writes an operation when it ends: of what goes on nobody knows, unless a later one was told.
            assert found in {(None, None, False, "unknown"), (None, until - start, True, "open")}
    # Who came while nobody looked has a session from then on when they were seen first.
    assert all(GAP[1] <= start < GAP[1] + 3600 * 1_000_000 for _, start in ours)
