"""The simulator's small parts: clock, dice, identifiers, plans, arrivals, and its walls."""

from __future__ import annotations

import ast
import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator.__main__ import parser
from simulator.calls import contacts
from simulator.clock import SimClock
from simulator.cxengage import Account
from simulator.facts import DAY, MINUTE, SECOND, VOICE, day_start, iso, millis, moment_of, time_uuid, uuid_time
from simulator.faults import Dice, Faults, decode_knobs, share
from simulator.people import hire
from simulator.plan import shifts
from simulator.server import build, connection, shares

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
FIRST = date(2026, 3, 2)


def test_a_standing_clock_stands() -> None:
    """If this failed, no test could name the instant it asks at."""
    clock = SimClock(NOON)
    assert clock.now() == clock.now() == NOON
    assert clock.now_ms() == millis(NOON)
    assert not clock.running


def test_a_running_clock_runs_at_its_speed() -> None:
    """If this failed, a demo could not hurry."""
    clock = SimClock(NOON, running=True, speed=1e6)
    first = clock.now()
    assert clock.now() > first > NOON
    clock.set(running=False)
    stopped = clock.now()
    assert clock.now() == stopped > first


def test_a_clock_can_be_moved() -> None:
    """If this failed, retention and delay would take days to test."""
    clock = SimClock(NOON)
    clock.advance(timedelta(hours=2))
    assert clock.now() == NOON + timedelta(hours=2)
    clock.set(NOON)
    assert clock.now() == NOON
    clock.set(speed=5.0)
    assert (clock.now(), clock.speed) == (NOON, 5.0)


def test_a_clock_keeps_utc_and_refuses_instants_without_zone() -> None:
    """If this failed, a local time would be taken for UTC."""
    clock = SimClock(datetime.fromisoformat("2026-03-03T13:00:00+01:00"))
    assert clock.now().isoformat() == "2026-03-03T12:00:00+00:00"
    with pytest.raises(ValueError, match="zone"):
        clock.set(NOON.replace(tzinfo=None))


def test_the_default_clock_is_the_real_time() -> None:
    """If this failed, a demo would show another day."""
    assert abs(SimClock(running=True).now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_shares_are_even() -> None:
    """If this failed, a fault's rate would not be the share of requests it hits."""
    drawn = [share(f"7/request?start=2026-03-03T1{n % 10}:00:00Z/{n}/error") for n in range(4000)]
    for tenth in range(10):
        hits = sum(tenth / 10 <= value < (tenth + 1) / 10 for value in drawn)
        assert 300 < hits < 500


def test_dice_depend_on_the_request_and_the_attempt_alone() -> None:
    """If this failed, parallel readers would change one another's luck."""
    one, other = Dice(3), Dice(3)
    alone = [one.attempt("a").key for _ in range(5)]
    mixed = []
    for _ in range(5):
        other.attempt("b")
        mixed.append(other.attempt("a").key)
    assert alone == mixed
    assert len(set(alone)) == 5


def test_a_rate_of_nothing_never_hits_and_of_one_always() -> None:
    """If this failed, faults that are off would still happen."""
    throws = [Dice(1).attempt(str(number)) for number in range(200)]
    assert not any(throw.hits("x", 0.0) for throw in throws)
    assert all(throw.hits("x", 1.0) for throw in throws)
    assert {throw.choose("x", (500, 503)) for throw in throws} == {500, 503}


def test_knobs_are_read_strictly() -> None:
    """If this failed, a misspelt fault would test nothing."""
    assert decode_knobs(Faults, b"") == Faults()
    assert decode_knobs(Faults, b'{"error_statuses":[500]}').error_statuses == (500,)
    with pytest.raises(ValueError, match="error_rates"):
        decode_knobs(Faults, b'{"error_rates":1}')


def test_uuids_carry_their_time() -> None:
    """If this failed, the ids would not look like the vendor's."""
    text = time_uuid(millis(NOON) + 123, 0x9A5AC3DA6EDD, 77)
    parsed = uuid.UUID(text)
    assert (parsed.version, parsed.variant) == (1, uuid.RFC_4122)
    assert uuid_time(text) == millis(NOON) + 123
    assert text.endswith("9a5ac3da6edd")


def test_the_documented_sample_decodes_to_its_start() -> None:
    """If this failed, our reading of the vendor's ids would be wrong."""
    assert iso(uuid_time("0a903d70-aabf-11e7-b5e2-9a5ac3da6edd")) == "2017-10-06T17:51:55.079Z"


def test_times_convert_both_ways() -> None:
    """If this failed, milliseconds would be lost between facts and text."""
    at = millis(NOON) + 7
    assert iso(at) == "2026-03-03T12:00:00.007Z"
    assert moment_of(at) == NOON + timedelta(milliseconds=7)
    assert day_start(date(2026, 3, 3)) == millis(NOON) - DAY // 2


def test_people_do_not_depend_on_how_many_they_are() -> None:
    """If this failed, hiring one more would change everybody's id."""
    assert [agent.agent_id for agent in hire(1, 5)] == [agent.agent_id for agent in hire(1, 50)][:5]


def test_shift_kinds_and_teams_are_mixed() -> None:
    """If this failed, nights or part-time would be missing."""
    agents = hire(1, 48)
    assert {agent.shift_kind for agent in agents} == {"day", "late", "night", "midnight", "part"}
    assert {agent.team for agent in agents} == {0, 1, 2, 3}


def test_plans_are_possible() -> None:
    """If this failed, the floor would be asked to do what nobody can."""
    planned = 0
    for agent in hire(2, 30):
        for number in range(7):
            day = FIRST + timedelta(days=number)
            for shift in shifts(2, agent, day):
                planned += 1
                assert day_start(day) <= shift.starts - shift.cleared_before <= shift.starts < shift.ends
                # The second half of a night shift may begin after midnight.
                assert shift.starts < day_start(day) + DAY + DAY // 4
                assert 2 <= shift.boot <= SECOND
                assert shift.dropped_at > shift.ends
                for before, after in pairwise(shift.pauses):
                    assert before.at + before.length <= after.at
    assert 120 < planned < 180


def test_plans_repeat_and_differ_by_day() -> None:
    """If this failed, days could not be simulated on their own."""
    agent = hire(2, 1)[0]
    days = [FIRST + timedelta(days=number) for number in range(5)]
    assert [shifts(2, agent, day) for day in days] == [shifts(2, agent, day) for day in days]
    lengths = {shift.ends - shift.starts for day in days for shift in shifts(2, agent, day)}
    assert len(lengths) > 2


def test_contacts_belong_to_their_day_and_are_unique() -> None:
    """If this failed, days would leak into one another."""
    arrived = list(contacts(4, 0, 12, FIRST))
    assert len({contact.interaction_id for contact in arrived}) == len(arrived) > 200
    for contact in arrived:
        assert day_start(FIRST) <= contact.at < day_start(FIRST) + DAY
        assert uuid_time(contact.interaction_id) == contact.at
        assert 2 * SECOND <= contact.talk <= 30 * MINUTE
        assert (contact.direction is not None) == (contact.channel == VOICE)


def test_contacts_follow_the_hour_and_the_size() -> None:
    """If this failed, there would be no peak to staff for."""
    arrived = list(contacts(4, 0, 50, FIRST))
    by_hour = [sum(contact.at // (60 * MINUTE) % 24 == hour for contact in arrived) for hour in range(24)]
    assert by_hour[14] > 4 * by_hour[3]
    assert len(arrived) > 3 * len(list(contacts(4, 0, 12, FIRST)))


def test_the_account_is_drawn_from_the_seed() -> None:
    """If this failed, a demo's configuration could not be written beforehand."""
    assert Account.of(1) == Account.of(1) != Account.of(2)
    assert Account.of(1).username == "shiftbook"
    assert Account.of(1).password.startswith("simulated-secret-")
    uuid.UUID(Account.of(1).tenant_id)


def test_the_command_line_has_working_defaults() -> None:
    """If this failed, the simulator would not start with nothing configured."""
    given = parser().parse_args(["--now", "2026-03-03T12:00:00", "--first-day", "2026-03-01"])
    assert (given.now, given.first_day, given.port) == (NOON, date(2026, 3, 1), 0)
    assert (given.fixed, given.speed, given.files) == (False, 1.0, None)


def test_a_built_server_covers_its_days_and_the_next_midnight() -> None:
    """If this failed, a running clock would come to an empty day."""
    with build(agents=2, days=3, now=NOON, running=False) as vendors:
        assert vendors.centre.first_day == date(2026, 3, 1)
        assert vendors.centre.ends == day_start(date(2026, 3, 5))


def test_every_vendor_is_served_and_says_where() -> None:
    """If this failed, a client would have nothing to connect to, or two vendors one clock each."""
    with build(agents=4, days=1, now=NOON, running=False) as vendors:
        told: dict[str, Any] = connection(vendors)
        assert {told[name]["base_url"] for name in ("cxengage", "kore", "huawei", "beyondtrust")} == {
            server.base_url for server in (vendors.cxengage, vendors.kore, vendors.huawei, vendors.beyondtrust)
        }
        assert told["huawei"]["files"] is None
        order = {"now": "2026-03-03T13:00:00+00:00"}
        requests.post(f"{told['kore']['base_url']}/_simulator/clock", json=order, timeout=10).raise_for_status()
        clock = requests.get(f"{told['beyondtrust']['base_url']}/_simulator/clock", timeout=10).json()
        assert clock["now"] == "2026-03-03T13:00:00Z"


def test_shares_divide_the_payroll_and_mix_its_shifts() -> None:
    """If this failed, somebody would work nowhere, or a vendor would see but one shift."""
    with build(agents=60, days=1, now=NOON, running=False) as vendors:
        parts = shares(vendors.centre)
        assert sorted(name for part in parts.values() for name in part) == sorted(
            agent.agent_id for agent in vendors.centre.agents
        )
        kinds = {agent.shift_kind for agent in vendors.centre.agents}
        for part in parts.values():
            assert {agent.shift_kind for agent in vendors.centre.agents if agent.agent_id in part} == kinds


SOURCES = sorted((Path(__file__).parents[2] / "simulator").glob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_simulator_is_an_independent_witness(path: Path) -> None:
    """If this failed, product and simulator could share a mistake and agree on it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & {"assets", "orchestration", "dagster"}
