"""One record told as two that adjoin: whatever a vendor writes down anew, no sum and no count changes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.huawei import asked, history, operation
from tests.models.watched import SESSIONS, TIMELINE, feed_clock, looked, said
from tests.models.workbench import DAY, Chain, Workbench, at, attempt, clock, record, rules, short

SPAN = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
BEGIN, END = at("-1d 00:00"), at("+2d 00:00")
MICROSECOND = timedelta(microseconds=1)
DAYS, REASONS = "marts.agg_agent_days", "marts.agg_not_ready_reasons"
WORDS = {
    "ready": ("ready", None, "available"),
    "lunch": ("not-ready", "Lunch", "assignment_off"),
    "away": ("not-ready", None, "idle"),
}
Records = list[dict[str, Any]]
cuts = st.tuples(st.integers(0, 11), st.floats(0.01, 0.99))


class Step(NamedTuple):
    """What an agent does next: for how long (microseconds), the word, interactions at once."""

    length: int
    word: str
    items: int


# Whole quarters of an hour now and then, so that cuts, buckets and midnights coincide.
lengths = st.integers(1, 60).map(lambda n: n * 900_000_000) | st.integers(2, 50_000_000_000)
steps = st.builds(Step, lengths, st.sampled_from(sorted(WORDS)), st.integers(0, 2))
lives = st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=3)


def lived(life: list[list[Step]], since: int, cut: tuple[int, float] | None) -> tuple[Records, Records]:
    """The records of an agent's sign-ins as CxEngage and as a watched feed would give them, perhaps one as two."""
    closed: Records = []
    watched: Records = []
    now, number = BEGIN + since * MICROSECOND, 0
    split_at = cut[0] % sum(len(told) for told in life) if cut else -1
    for session, told in enumerate(life):
        login = now
        parts: list[tuple[datetime, datetime, Step]] = []
        for one in told:
            end = now + one.length * MICROSECOND
            middle = now + int(one.length * cut[1]) * MICROSECOND if cut and number == split_at else now
            parts += [(now, middle, one), (middle, end, one)] if now < middle < end else [(now, end, one)]
            now, number = end, number + 1
        names = [f"{session}.{start.isoformat()}" for start, *_ in parts]
        for (start, end, one), name, following in zip(parts, names, [*names[1:], None], strict=True):
            presence, reason, word = WORDS[one.word]
            # A record that has not ended yet is given without its end and successor.
            over = end < END
            closed.append(
                record("00:00", event_id=name, session_id=f"s{session}", presence=presence, reason_name=reason)
                | {"started_at": start, "ended_at": end if over else None, "next_event_id": following if over else None}
                | {"logged_in_at": login, "window_start": start, "received_at": END, "segment": "seg"}
                | {"capacity": rules({"voice": one.items}, load=one.items / 4, capacity=4)}
            )
            watched.append(
                said("00:00", word, record_id=name, work_items=one.items, load=one.items, reason_code=word, reason=word)
                | {"started_at": start, "logged_in_at": login, "date": start.date()}
            )
        watched.append(
            said("00:00", "logged_out", record_id=f"{session} out") | {"started_at": now, "date": now.date()}
        )
        now += timedelta(minutes=7)
    return [row for row in closed if row["started_at"] < END], [row for row in watched if row["started_at"] < END]


def clocks_of(names: Iterable[str]) -> Records:
    """The clocks of the sources of some tellings: all was asked for, and observed."""
    asked = {"first_requested_at": BEGIN, "requested_until": END, "observed_until": END}
    return [{**one, **asked} for name in names for one in (clock(source=f"cx_{name}"), feed_clock(source=f"bt_{name}"))]


def built(bench: Workbench, told: dict[str, tuple[Records, Records]]) -> Chain:
    """All days of both kinds of source, for each telling."""
    attempts, staged, heard = [], [], []
    for name, (closed, watched) in told.items():
        shown = attempt("-1d 00:00", "+2d 00:00", "+2d 01:00", source=f"cx_{name}", segment="seg", open_ids=["x"])
        attempts += [shown, *looked(("-1d 00:00", "+2d 00:00"), source=f"bt_{name}")]
        staged += [{**row, "source": f"cx_{name}"} for row in closed]
        heard += [{**row, "source": f"bt_{name}"} for row in watched]
    given: dict[str, Any] = {"int_beyondtrust_records": heard, "int_kore_records": [], "int_huawei_records": []}
    return bench.chain(SPAN, DAYS, clocks_of(told), attempts=attempts, staged=staged, **given)


def tables_of(bench: Workbench, told: dict[str, tuple[Records, Records]]) -> dict[str, Records]:
    """Quarters of an hour, days, reasons and sign-ins, and the timeline that they are made of."""
    chain = built(bench, told)
    found: dict[str, Records] = {table: chain.rows(table) for table in ("marts.fct_agent_intervals", DAYS, TIMELINE)}
    sign_ins = chain.rows("intermediate.int_session_days")
    found[SESSIONS] = bench.run(SESSIONS, None, int_session_days=sign_ins, feed_clock=clocks_of(told))
    found[REASONS] = [
        {**row, "date": day}
        for day in SPAN
        for row in bench.run(
            REASONS, day, fct_agent_timeline=[row for row in found[TIMELINE] if 0 <= (day - row["date"]).days <= 1]
        )
    ]
    return found


def of(rows: Records, name: str) -> Records:
    """The rows of one telling, its sources called alike."""
    return [{**row, "source": row["source"][:2]} for row in rows if row["source"].endswith(f"_{name}")]


@settings(max_examples=5)
@given(several=st.lists(st.tuples(lives, st.integers(0, 86_400_000_000), cuts), min_size=1, max_size=5))
def test_a_record_told_as_two_that_adjoin_changes_nothing(
    bench: Workbench, several: list[tuple[list[list[Step]], int, tuple[int, float]]]
) -> None:
    """If this fails, how often a vendor writes the same state down decides how long or how often it was."""
    told: dict[str, tuple[Records, Records]] = {}
    for number, (life, since, cut) in enumerate(several):
        told |= {f"{number}whole": lived(life, since, None), f"{number}split": lived(life, since, cut)}
    tables = tables_of(bench, told)
    timeline = tables.pop(TIMELINE)
    for number in range(len(several)):
        for table, rows in tables.items():
            assert of(rows, f"{number}whole") == of(rows, f"{number}split"), table
    assert tables[DAYS]
    assert bool(tables[REASONS]) == any(row["state"] == "not_ready" for row in timeline)
    whole, split = ([row for row in timeline if row["source"].endswith(kind)] for kind in ("whole", "split"))
    assert len(whole) <= len(split)


# One after the other: of two that overlap the later one ends the earlier, and the second half of one may be the later.
operations = st.lists(
    st.tuples(st.integers(0, 40), st.integers(2, 15), st.sampled_from([3, 26, 27, 38])), min_size=1, max_size=6
)


@settings(max_examples=10)
@given(done=operations, cut=cuts)
def test_an_operation_told_as_two_that_adjoin_changes_nothing(
    bench: Workbench, done: list[tuple[int, int, int]], cut: tuple[int, float]
) -> None:
    """If this fails, a rest that Huawei writes down in two parts is another rest."""
    told = []
    for split in (False, True):
        rows, end = [asked("08:00", "09:00")], at("08:00")
        for number, (pause, length, kind) in enumerate(done):
            start = end + timedelta(seconds=10 * pause)
            end = start + timedelta(seconds=10 * length)
            middle = start + timedelta(seconds=int(10 * length * cut[1]))
            is_split = split and number == cut[0] % len(done) and start < middle < end
            edges = [start, middle, end] if is_split else [start, end]
            rows += [operation(short(a), short(b), kind, "200", call_id="c") for a, b in pairwise(edges)]
        told.append(history(bench, rows).pick("started_at", "ended_at", "vendor_state", "reason"))
    assert told[0] == told[1]
