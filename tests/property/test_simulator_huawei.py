"""Properties of the simulated Huawei AICC that must hold for any centre, instant and dialect."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import truth
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import DAY, HOUR, MINUTE, millis
from simulator.faults import Faults
from simulator.huawei import HuaweiApi
from simulator.huawei_cms import HuaweiAccount
from simulator.huawei_gateway import work_number
from simulator.huawei_history import History, Operation, Reading, call_ids
from simulator.huawei_seats import desktop_accepts, desktop_guid
from simulator.huawei_signature import is_signed
from simulator.huawei_states import HuaweiDialect, StateBook
from simulator.wire import Request

FIRST = date(2026, 3, 2)
BEGIN = millis(datetime(2026, 3, 2, tzinfo=UTC))
QUICK = settings(max_examples=60, deadline=None)
FEW = settings(max_examples=20, deadline=None)
CANONICAL = {2: "offline", 3: "not_ready", 4: "available", 5: "wrap_up", 7: "handling", 8: "not_ready", 9: "handling"}

instants = st.integers(BEGIN, BEGIN + 48 * HOUR)
dialects = st.builds(
    HuaweiDialect,
    pre_rest=st.booleans(),
    idle_rows=st.booleans(),
    interim_from=st.sampled_from(["mark", "start"]),
    history_by=st.sampled_from(["begin", "end"]),
    rest_reasons=st.sampled_from([(), ("Break",), ("Break", "Lunch", "Training")]),
)


@cache
def centre() -> Centre:
    """Play a small centre once."""
    return Centre.simulate(31, 12, FIRST, 2)


@cache
def reading(dialect: HuaweiDialect) -> Reading:
    """Read that centre in a dialect once."""
    people = {work_number(agent): agent for agent in centre().agents}
    return Reading.of(centre(), people, call_ids(centre()), dialect)


def history(dialect: HuaweiDialect) -> History:
    """Return that centre's operation records in a dialect."""
    return reading(dialect).history


def written(dialect: HuaweiDialect, number: int) -> list[Operation]:
    """Return all of an agent's records, asked for hour by hour so that none is forgotten yet."""
    found = history(dialect)
    hours = [BEGIN + hour * HOUR for hour in range(72)]
    pieces = [found.select(number, hour, hour + HOUR, hour + DAY, Faults()) for hour in hours]
    return [operation for piece in pieces for _, operation in piece]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), agents=st.integers(1, 10), dialect=dialects)
def test_codes_tell_the_truth(seed: int, agents: int, dialect: HuaweiDialect) -> None:
    """If this failed, states and truth would disagree on who was doing what."""
    played = Centre.simulate(seed, agents, FIRST, 2)
    book = StateBook(played, played.agents, dialect)
    by_name = {agent.agent_id: agent for agent in played.agents}
    rows = truth.agent_states(played.agents, played.sessions, played.presences, played.participations, played.ends)
    for agent_id, _, since, until, state, *_ in rows:
        assert isinstance(since, int)
        assert isinstance(until, int)
        for moment in {since, (since + until) // 2, until - 1}:
            told = book.at(by_name[str(agent_id)], moment)
            assert CANONICAL[told.state] == state
            assert told.working == (state == "handling")


@FEW
@given(dialect=dialects)
def test_stretches_change_something_each_time(dialect: HuaweiDialect) -> None:
    """If this failed, ages would start again without a change."""
    book = reading(dialect).book
    for agent in centre().agents:
        for before, after in pairwise(book.stretches(agent)):
            assert before.at <= after.at
            assert (before.session, before.state, before.working, before.cause) != (
                after.session, after.state, after.working, after.cause,
            )  # fmt: skip


@FEW
@given(ring=st.floats(0, 120))
def test_ringing_only_ever_precedes_a_talk(ring: float) -> None:
    """If this failed, an agent would ring without talking, or before being there."""
    quiet = reading(HuaweiDialect()).book
    book = StateBook(centre(), centre().agents, HuaweiDialect(ring_seconds=ring))
    for agent in centre().agents:
        found = book.stretches(agent)
        for before, after in pairwise(found):
            assert before.at <= after.at
            if before.state == 7 and not before.working:
                assert (after.state, after.working, after.session) == (7, True, before.session)
                assert after.at - before.at <= ring * 1000
        loud = [stretch for stretch in found if stretch.state != 7 or stretch.working]
        assert loud == quiet.stretches(agent)


@QUICK
@given(dialect=dialects, number=st.integers(101, 112))
def test_talks_make_the_participations(dialect: HuaweiDialect, number: int) -> None:
    """If this failed, records merged by call would not be the talks that took place."""
    names = call_ids(centre())
    told: dict[str, list[Operation]] = {}
    for operation in written(dialect, number):
        if operation.kind == 4:
            told.setdefault(str(operation.call_id), []).append(operation)
    ended = [p for p in centre().participations if work_number(p.agent) == number and p.left is not None]
    finals = [operation for found in told.values() for operation in found if operation.cause == 0]
    assert {(names[p.interaction_id], p.left) for p in ended} == {(o.call_id, o.end) for o in finals}
    for part in ended:
        found = [o for o in told[names[part.interaction_id]] if part.joined <= o.begin and o.end <= (part.left or 0)]
        assert min(o.begin for o in found) == part.joined
        assert all(o.end % (5 * MINUTE) == 0 for o in found if o.cause == 1)


@QUICK
@given(dialect=dialects, number=st.integers(101, 112), start=instants, cuts=st.lists(st.integers(1, 96), max_size=5))
def test_neighbouring_windows_partition_time(dialect: HuaweiDialect, number: int, start: int, cuts: list[int]) -> None:
    """If this failed, windows would share or lose records."""
    edges = [start]
    for cut in cuts:
        edges.append(edges[-1] + cut * 15 * MINUTE)
    found, now = history(dialect), start + DAY
    pieces = [one for a, b in pairwise(edges) for one in found.select(number, a, b, now, Faults())]
    assert sorted(pieces, key=lambda one: one[0]) == found.select(number, edges[0], edges[-1], now, Faults())


@QUICK
@given(
    start=instants,
    quarters=st.integers(1, 96),
    faults=st.builds(
        Faults,
        seed=st.integers(0, 1000),
        duplicate_rows=st.sampled_from([0.0, 0.3]),
        late_rows=st.sampled_from([0.0, 0.3]),
        shuffled=st.booleans(),
    ),
)
def test_faults_disturb_but_do_not_invent(start: int, quarters: int, faults: Faults) -> None:
    """If this failed, faults would change what is true and not only how it is told."""
    found, end = history(HuaweiDialect()), start + quarters * 15 * MINUTE
    clean = found.select(101, start, end, end, Faults())
    told = found.select(101, start, end, end, faults)
    assert told == found.select(101, start, end, end, faults)
    assert set(told) <= set(clean)
    if faults.late_rows == 0:
        assert set(told) == set(clean)
        if not faults.shuffled and faults.duplicate_rows == 0:
            assert told == clean


@QUICK
@given(now=instants, later=st.integers(0, 10 * MINUTE), rotation=st.booleans())
def test_a_guid_is_valid_for_its_time_alone(now: int, later: int, *, rotation: bool) -> None:
    """If this failed, GUIDs would live too long or too short."""
    dialect = HuaweiDialect(guid_rotation=rotation)
    session = next(stay for stays in centre().sessions for stay in stays)
    guid = desktop_guid(1, session, now, dialect)
    issued = now - now % MINUTE
    valid = not rotation or now + later - issued < 2 * MINUTE
    assert desktop_accepts(1, session, guid, now + later, dialect) == valid


@cache
def api() -> HuaweiApi:
    """Return a whole AICC without its sockets."""
    people = {work_number(agent): agent for agent in centre().agents}
    clock = SimClock(datetime(2026, 3, 3, 12, tzinfo=UTC))
    dialect = HuaweiDialect(poll_wait_seconds=0)
    return HuaweiApi(centre(), clock, HuaweiAccount.of(1), people, faults=Faults(), dialect=dialect)


@QUICK
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.sampled_from(["onlineagent/101", "onlineagent/101/logout", "onlineagent/101/agentstatus", "agentevent/101"])
    | st.text(),
    headers=st.dictionaries(st.sampled_from(["guid", "authorization"]), st.text()),
    body=st.binary() | st.sampled_from([b"[]", b"{}", b'{"status":null}', b'{"password":1}']),
)
def test_the_gateway_answers_anything(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    """If this failed, a request could break the simulator instead of being refused."""
    reply = api().answer(Request(method, f"/agentgateway/resource/{path}", "", headers, body))
    assert reply.status == 200
    assert b'"retcode":"' in reply.body


@given(authorization=st.text(), stamp=st.text(), path=st.text(), query=st.text(), body=st.binary())
def test_no_made_up_signature_is_believed(authorization: str, stamp: str, path: str, query: str, body: bytes) -> None:
    """If this failed, nonsense would be let in, or break the server."""
    headers = {"authorization": authorization, "x-sdk-date": stamp}
    request = Request("POST", f"/{path}", query, headers, body)
    assert not is_signed(request, "key", "secret", datetime(2026, 3, 3, tzinfo=UTC))
