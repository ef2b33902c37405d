"""The timeline, whatever the feed did: no gap, no overlap, one truth however delivered, as a second opinion has it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.workbench import DAY, Chain, Workbench, at, attempt, clock, handed, record, rules, short
from tests.property.reference_timeline import DELAY, Span, merged, observed_spans, timeline

TABLE = "marts.fct_agent_timeline"
SPAN = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
BEGIN = at("-1d 00:00")
END = at("+2d 00:00")
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)


class Feed:
    """What one source delivered, and the attempts that brought it."""

    def __init__(self, copies: list[dict[str, Any]], attempts: list[dict[str, Any]]) -> None:
        self.copies = copies
        self.attempts = attempts

    def __repr__(self) -> str:
        """Short enough to read when Hypothesis reports it."""
        names = ("agent_id", "event_id", "next_event_id", "session_id", "logged_in_at", "started_at", "ended_at",
                 "segment", "presence")  # fmt: skip
        copies = [[_brief(c.get(name)) for name in names] for c in self.copies]
        tried = ("status", "window_start", "window_end", "vendor_time", "segment")
        attempts = [[_brief(a.get(name)) for name in tried] for a in self.attempts]
        return "\n".join(["", *map(str, copies), *map(str, attempts)])

    def of(self, source: str) -> "Feed":
        """The same of another source."""
        return Feed(*([{**row, "source": source} for row in rows] for rows in (self.copies, self.attempts)))

    @property
    def until(self) -> datetime:
        """The source's observed-until time, as the feed's clock has it; before everything when nothing was seen."""
        return max((end for _, end in observed_spans(self.attempts)), default=BEGIN)


def _brief(value: Any) -> Any:
    return short(value) if isinstance(value, datetime) else value


lengths = st.one_of(st.integers(1, 700), st.just(0)).map(lambda m: m * MINUTE)
odd = st.integers(0, 59_999_999).map(lambda us: us * MICROSECOND)
moments = st.builds(lambda m, us: BEGIN + m * MINUTE + us, st.integers(0, 3 * 1440 - 1), odd)


def heard_attempt(start: datetime, end: datetime, heard: datetime, **fields: Any) -> dict[str, Any]:
    """An ok attempt at ``[start, end)`` when the vendor's clock stood at ``heard``."""
    return {**attempt("00:00", "00:00", "00:00"), "window_start": start, "window_end": end,
            "vendor_time": heard, "attempted_at": heard, **fields}  # fmt: skip


@st.composite
def attempts_of(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Two kinds of attempts: hours that were fetched or failed, and replies that showed open records (``seg<n>``)."""
    hours = draw(st.lists(st.sampled_from(["ok", "ok", "ok", "ok", "failed"]), min_size=18, max_size=18))
    made = []
    for n, status in enumerate(hours):
        start = BEGIN + n * timedelta(hours=4)
        late = draw(st.sampled_from([DELAY, DELAY, timedelta(hours=1), -timedelta(minutes=30)]))
        one = heard_attempt(start, start + timedelta(hours=4), start + timedelta(hours=4) + late, status=status)
        made.append({**one, "vendor_time": one["vendor_time"] if status == "ok" else None})
    for n in range(3):
        start = draw(moments)
        heard = start + draw(lengths) + DELAY + MICROSECOND
        made.append(heard_attempt(start, start + MINUTE, heard, segment=f"seg{n}", open_ids=["x"]))
    return made


@st.composite
def agent_records(draw: st.DrawFn, agent: str, attempts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """An agent's sessions as a vendor would deliver them: chained records, some open, repeated, overlong or absent."""
    copies: list[dict[str, Any]] = []
    now = draw(moments)
    shown = {a["segment"]: a["window_start"] for a in attempts if a.get("segment")}
    for session in range(draw(st.integers(1, 3))):
        login = now - draw(st.sampled_from([timedelta(0), timedelta(0), 7 * MINUTE]))
        spans = draw(st.lists(st.tuples(lengths, odd), min_size=1, max_size=4))
        for n, (length, extra) in enumerate(spans):
            is_last = n == len(spans) - 1
            # A record of no length stands in the middle of a chain only; one that ends a session has a test of its own.
            end = (
                now + (length + extra if is_last or length else timedelta(0)) + (MICROSECOND if is_last else 0 * MINUTE)
            )
            name = f"{agent}{session}.{n}"
            one = record("00:00", agent_id=agent, session_id=f"{agent}{session}", event_id=name, logged_in_at=login)
            one |= {"started_at": now, "presence": draw(st.sampled_from(["ready", "not-ready", "odd"]))}
            over = draw(st.sampled_from([0, 0, 0, 5])) * MINUTE if end > now else timedelta(0)
            follower = None if is_last else f"{agent}{session}.{n + 1}"
            closed = one | {"ended_at": end + over, "next_event_id": follower, "received_at": END}
            segment = draw(st.sampled_from(sorted(shown)))
            still_open = one | {"segment": segment, "window_start": shown[segment], "received_at": END + MINUTE}
            fate = draw(st.sampled_from(["closed", "closed", "both", "corrected", "open", "absent"]))
            corrected = closed | {"ended_at": now + 3 * MINUTE, "received_at": END - MINUTE}
            copies += {"closed": [closed], "both": [still_open, closed], "corrected": [corrected, closed],
                       "open": [still_open], "absent": []}[fate]  # fmt: skip
            now = end
        now += draw(lengths)
        if now >= END:
            break
    return [c for c in copies if BEGIN <= c["started_at"] < END]


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    """Deliveries of two agents, and the attempts that brought them."""
    attempts = draw(attempts_of())
    copies = [copy for agent in ("ann", "bob") for copy in draw(agent_records(agent, attempts))]
    return Feed(copies, attempts)


@st.composite
def nonsense(draw: st.DrawFn) -> Feed:
    """Records that no vendor should send: anything may overlap, repeat, end anywhere and be of any session."""
    attempts = draw(attempts_of())
    copies = []
    for n in range(draw(st.integers(0, 8))):
        start = draw(moments)
        one = record(
            "00:00",
            agent_id=draw(st.sampled_from(["ann", "bob"])),
            session_id=draw(st.sampled_from(["s", "t", "u"])),
            event_id=draw(st.sampled_from([f"e{n}", "same"])),
            next_event_id=draw(st.sampled_from([None, "e0", "e1", "lost"])),
            segment=draw(st.sampled_from(["seg0", "seg1", "other"])),
            presence=draw(st.sampled_from(["ready", "not-ready", "offline", "odd", None])),
            capacity=draw(
                st.sampled_from([None, rules({"voice": 1}, load=1.0), rules({"email": 2}, load=0.67, capacity=3)])
            ),
            transfers=[handed("bob", short(draw(moments)))] if draw(st.booleans()) else None,
        )
        ended = draw(st.one_of(st.none(), lengths))
        one |= {"started_at": start, "ended_at": None if ended is None else start + ended}
        one["logged_in_at"] = draw(st.sampled_from([None, start, start - 90 * MINUTE, start + MINUTE]))
        copies.append(one)
    return Feed(copies, attempts)


# One build serves several sources at once: what a build costs is mostly planning.
several = st.lists(feeds(), min_size=1, max_size=10)
several_nonsense = st.lists(nonsense(), min_size=1, max_size=10)


def build(bench: Workbench, found: Sequence[Feed], last: str = TABLE) -> Chain:
    """All days of these feeds, each a source of its own."""
    given = {f"cx{n}": feed.of(f"cx{n}") for n, feed in enumerate(found)}
    asked = {"first_requested_at": BEGIN, "requested_until": END}
    return bench.chain(
        SPAN,
        last,
        [{**clock(source=source), **asked, "observed_until": feed.until} for source, feed in given.items()],
        staged=[copy for feed in given.values() for copy in feed.copies],
        attempts=[attempt for feed in given.values() for attempt in feed.attempts],
    )


def told(chain: Chain) -> dict[tuple[str, date, str], list[Span]]:
    """The timeline by source, day and agent, neighbours of one state and session merged."""
    found: dict[tuple[str, date, str], list[Span]] = {}
    for row in chain.rows(TABLE):
        span = Span(row["started_at"], row["ended_at"], row["state"], row["session_id"])
        found.setdefault((row["source"], row["date"], row["agent_id"]), []).append(span)
    return {key: merged(spans) for key, spans in found.items()}


@settings(max_examples=10)
@given(found=several)
def test_the_timeline_is_what_brute_force_makes_of_the_rules(bench: Workbench, found: list[Feed]) -> None:
    """If this fails, the SQL and docs/metrics.md say different things about some delivery."""
    expected = {
        (f"cx{n}", *key): spans
        for n, feed in enumerate(found)
        for key, spans in timeline(feed.copies, feed.attempts, feed.until, SPAN).items()
    }
    assert told(build(bench, found)) == expected


@settings(max_examples=7)
@given(found=several_nonsense)
def test_each_seen_day_is_tiled_and_all_sums_agree_whatever_was_delivered(bench: Workbench, found: list[Feed]) -> None:
    """If this fails, some instant has no state or two, or buckets, days and the timeline disagree."""
    chain = build(bench, found, "marts.agg_agent_days")
    for (source, day, _), spans in told(chain).items():
        midnight = BEGIN + (day - SPAN[0])
        assert spans[0].start == midnight
        assert spans[-1].end == min(midnight + timedelta(days=1), found[int(source[2:])].until)
        assert all(before.end == after.start for before, after in pairwise(spans))
    key = "source, date, agent_id"
    states = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
    sums = ", ".join(f"sum({s}_us)::bigint as {s}" for s in states)
    length = "sum(epoch_us(ended_at) - epoch_us(started_at))"
    each = ", ".join(f"coalesce({length} filter (state = '{s}'), 0)::bigint as {s}" for s in states)
    assert bench.query(f'select {key}, {each} from given."{TABLE}" group by all order by all') == bench.query(
        f'select {key}, {sums} from given."intermediate.int_agent_buckets" group by all order by all'
    )
    columns = (
        "staffed",
        "available",
        "handling",
        "not_ready",
        "offline",
        "unobserved",
        "observed",
        "load",
        "work_item",
    )
    whole = ", ".join(f"round(sum({c}_seconds), 6) as {c}" for c in columns)
    counts = ", ".join(f"sum({c})::bigint as {c}" for c in ("transfers_out", "transfers_in", "logins"))
    intervals, days = (
        bench.query(f'select {key}, {whole}, {counts} from given."{table}" group by all order by all')
        for table in ("marts.fct_agent_intervals", "marts.agg_agent_days")
    )
    assert intervals == days


@settings(max_examples=4)
@given(found=several_nonsense, data=st.data())
def test_delivering_everything_twice_and_shuffled_changes_nothing(
    bench: Workbench, found: list[Feed], data: st.DataObject
) -> None:
    """If this fails, results depend on the order of files or count repeated deliveries."""
    tables = [TABLE, "marts.fct_transfers", "marts.fct_agent_intervals", "marts.agg_agent_days"]
    once = build(bench, found, "marts.agg_agent_days")
    first = [once.rows(table) for table in tables]
    again = [
        Feed(data.draw(st.permutations([*feed.copies, *feed.copies])), [*feed.attempts, *reversed(feed.attempts)])
        for feed in found
    ]
    twice = build(bench, again, "marts.agg_agent_days")
    assert [twice.rows(table) for table in tables] == first
