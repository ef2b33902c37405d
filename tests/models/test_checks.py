"""Every check finds what it is there for, and leaves good rows alone. A check without an example fails here."""

from datetime import timedelta
from typing import Any

import pytest

from orchestration.models import Check, read_checks
from orchestration.settings import sql_dir
from tests.models.kore import kore_clock
from tests.models.lost import LOST, Tables
from tests.models.workbench import (
    DAY,
    Workbench,
    at,
    attempt,
    clock,
    handed,
    product_models,
    record,
    rules,
    shift,
)

ALL = {
    f"{check.table}.{check.name}": check
    for checks in read_checks(sql_dir(), product_models().values()).values()
    for check in checks
}

TIMELINE = "marts.fct_agent_timeline"
BUCKETS = "intermediate.int_agent_buckets"
INTERVALS = "marts.fct_agent_intervals"
DAYS = "marts.agg_agent_days"
UNTIL = "intermediate.int_observed_until"
STAYS = "marts.fct_participation"
PERSONS = "marts.fct_person_timeline"
PERSON_DAYS = "marts.agg_person_days"
ADHERENCE = "marts.fct_adherence"
KEPT = "marts.fct_adherence_intervals"
BEYONDTRUST = "intermediate.int_beyondtrust"
KORE = "intermediate.int_kore_records"
FIGURES = "intermediate.int_cxengage_interval_figures"
RECONCILED = "ops.reconciliation"
WHO_IS = {"source": "cx", "agent_id": "ann"}
WHO = {**WHO_IS, "date": DAY}


def told(start: str, end: str, **fields: Any) -> dict[str, Any]:
    """A sound row of the timeline, and these fields."""
    sound = {
        "state": "available",
        "session_id": "s",
        "evidence": "reported",
        "state_started_at": at(start),
        "seconds": 1.0,
    }
    return {**WHO, **sound, "started_at": at(start), "ended_at": at(end), **fields}


def bucket(start: str = "08:00", **fields: Any) -> dict[str, Any]:
    """A full bucket of available time, and these fields."""
    names = ("handling_us", "wrap_up_us", "not_ready_us", "offline_us", "unobserved_us", "uncertainty_us")
    empty = dict.fromkeys(names, 0)
    return {**WHO, **empty, "interval_start": at(start), "available_us": 900_000_000, "work_item_us": 0,
            "most_work_items": 0, **fields}  # fmt: skip


def buckets(end: str) -> list[dict[str, Any]]:
    """Full buckets from midnight to a quarter of an hour."""
    count = (at(end) - at("00:00")) // timedelta(minutes=15)
    return [bucket(interval_start=at("00:00") + n * timedelta(minutes=15)) for n in range(count)]


def until(end: str) -> Tables:
    """A source that was observed until then."""
    return {UNTIL: [{"source": "cx", "date": DAY, "observed_until": at(end)}]}


def there(end: str) -> Tables:
    """The same, and an agent of it who was there from midnight on."""
    return {TIMELINE: [told("00:00", end)], **until(end)}


def seconds(**fields: Any) -> dict[str, Any]:
    """A quarter-hour or day of available time, and these fields."""
    names = (
        "handling",
        "wrap_up",
        "not_ready",
        "offline",
        "unobserved",
        "work_item",
        "load",
        "capacity",
        "uncertainty",
    )
    zeros = {f"{name}_seconds": 0.0 for name in names} | dict.fromkeys(("transfers_out", "transfers_in", "logins"), 0)
    return {**WHO, **zeros, "staffed_seconds": 900.0, "available_seconds": 900.0, "observed_seconds": 900.0, **fields}


def transfer(**fields: Any) -> dict[str, Any]:
    """A sound transfer, and these fields."""
    return {"source": "cx", "date": DAY, "transfer_id": "t", "to_kind": "agent", "kind": "unknown", "hop": 1,
            "started_at": at("08:00"), "completed_at": at("08:01"), **fields}  # fmt: skip


def session(**fields: Any) -> dict[str, Any]:
    """A sound session, and these fields."""
    return {"source": "cx", "session_id": "s", "ended_by": "derived", "logged_in_at": at("08:00"),
            "logged_out_at": at("09:00"), **fields}  # fmt: skip


def covered(start: str, end: str, **fields: Any) -> dict[str, Any]:
    """A sound stretch of coverage, and these fields."""
    return {"source": "cx", "feed": "agent_states", "date": DAY, "window_start": at(start), "window_end": at(end),
            "status": "observed", **fields}  # fmt: skip


def moment(**fields: Any) -> dict[str, Any]:
    """A sound record, and these fields."""
    return {**WHO, "started_at": at("08:00"), "ended_at": at("09:00"), "is_unmapped": False, **fields}


def activity(**fields: Any) -> dict[str, Any]:
    """A sound stretch of Kore.ai, and these fields."""
    return {**WHO, "source": "kore_in", "feed": "agent_activity", "started_at": at("08:00"),
            "window_start": at("08:00"), "uncertainty_us": 1_000_000, "is_derived": False, **fields}  # fmt: skip


def stay(**fields: Any) -> dict[str, Any]:
    """A sound participation, and these fields."""
    return {**WHO, "interaction_id": "i", "joined_at": at("08:00"), "left_at": at("09:00"), "role": "owner", **fields}


def theirs(**fields: Any) -> dict[str, Any]:
    """A sound figure of the vendor's own, and these fields."""
    return {**WHO, "figure": "handling_seconds", "interval_start": at("08:00"), "interval_end": at("08:15"),
            "seconds": 900.0, **fields}  # fmt: skip


def compared(**fields: Any) -> dict[str, Any]:
    """A sound comparison, and these fields."""
    return {**WHO, "feed": "agent_intervals", "figure": "handling_seconds", "interval_start": at("08:00"),
            "ours_seconds": 600.0, "theirs_seconds": 598.0, "difference_seconds": 2.0, "tolerance_seconds": 2.0,
            "is_judged": True, **fields}  # fmt: skip


def did(**fields: Any) -> dict[str, Any]:
    """A sound stretch of a plan, and these fields."""
    return {**WHO, "started_at": at("08:00"), "ended_at": at("08:15"), "seconds": 900.0, "activity": "phone",
            "is_work": True, "state": "available", "adherence": "in", "is_tolerated": False, "is_unmapped": False,
            **fields}  # fmt: skip


def kept(**fields: Any) -> dict[str, Any]:
    """The quarter of an hour of that stretch, and these fields."""
    return {**WHO, "interval_start": at("08:00"), "scheduled_seconds": 900.0, "scheduled_work_seconds": 900.0,
            "worked_seconds": 900.0, "adherent_seconds": 900.0, "out_of_adherence_seconds": 0.0, "neutral_seconds": 0.0,
            "observed_seconds": 900.0, **fields}  # fmt: skip


def human(start: str = "00:00", end: str = "24:00", **fields: Any) -> dict[str, Any]:
    """A sound row of a person's timeline, and these fields."""
    return {"person_id": "p1", "date": DAY, "started_at": at(start), "ended_at": at(end), "state": "available",
            "agents": 2, "staffed_agents": 1, **fields}  # fmt: skip


def lived(**fields: Any) -> dict[str, Any]:
    """The day of that person, and these fields."""
    return {"person_id": "p1", "date": DAY, "staffed_seconds": 86400.0, "overlap_seconds": 0.0,
            "observed_seconds": 86400.0, "unobserved_seconds": 0.0, **fields}  # fmt: skip


def volumes(**fields: Any) -> dict[str, Any]:
    """A day like those before, and these fields."""
    return {"source": "cx", "date": DAY, "is_whole": True, "is_recent": True, "agents": 10, "staffed_seconds": 3e5,
            "agents_before": 10.0, "staffed_seconds_before": 3e5, **fields}  # fmt: skip


BROKEN: dict[str, list[Tables]] = LOST | {
    "ops.capture_log.known_status": [{"ops.capture_log": [{"status": word}]} for word in ("fine", None)],
    "ops.feed_coverage.known_status": [{"ops.feed_coverage": [covered("08:00", "08:10", status="late")]}],
    "ops.feed_coverage.has_length": [{"ops.feed_coverage": [covered("08:00", "08:00")]}],
    "ops.feed_coverage.nothing_lost": [{"ops.feed_coverage": [covered("08:00", "08:10", status="lost")]}],
    "ops.feed_coverage.tiles_time": [
        {"ops.feed_coverage": [covered("08:00", "08:10"), covered("08:11", "08:20")]},
        {"ops.feed_coverage": [covered("08:00", "08:10"), covered("08:09", "08:20")]},
    ],
    "ops.broken_chains.nothing_missing": [{"ops.broken_chains": [{**WHO, "missing_from": at("08:00")}]}],
    "ops.rejects.nothing_rejected": [{"ops.rejects": [{"segment": "seg", "reason": "eventId is missing"}]}],
    f"{BUCKETS}.a_bucket_at_most": [
        {BUCKETS: [bucket(available_us=900_000_001)]},
        {BUCKETS: [bucket(available_us=0)]},
        {BUCKETS: [bucket(available_us=None)]},
    ],
    f"{BUCKETS}.uncertain_at_most_the_observed": [
        {BUCKETS: [bucket(uncertainty_us=us)]} for us in (900_000_001, -1, None)
    ],
    f"{BUCKETS}.equals_the_timeline": [
        {BUCKETS: [bucket()], TIMELINE: [told("08:00", "08:15", state="handling")]},
        {BUCKETS: [bucket()], TIMELINE: [told("08:00", "08:14:59.999999")]},
        {BUCKETS: [], TIMELINE: [told("08:00", "08:15")]},
        {BUCKETS: [bucket()], TIMELINE: []},
    ],
    f"{BUCKETS}.fills_the_bucket": [
        {BUCKETS: [*buckets("12:00"), bucket("12:00", available_us=899_999_999)], **there("12:15")},
        {BUCKETS: buckets("12:15"), **there("12:10")},
        {BUCKETS: buckets("12:00"), **there("24:00")},
        {BUCKETS: buckets("24:00")[1:], **there("24:00")},
        {BUCKETS: [*buckets("24:00"), bucket(agent_id="bob")], **there("24:00")},
        {BUCKETS: buckets("24:00"), TIMELINE: [told("00:00", "24:00")]},
    ],
    f"{BUCKETS}.sum_within_concurrency": [
        {BUCKETS: [bucket(available_us=0, handling_us=900_000_000, work_item_us=899_999_999, most_work_items=1)]},
        {BUCKETS: [bucket(available_us=0, handling_us=900_000_000, work_item_us=1_800_000_001, most_work_items=2)]},
    ],
    "intermediate.int_agent_records.load_is_what_is_handled": [
        {"intermediate.int_agent_records": [moment(load=1, work_items=2)]}
    ],
    "intermediate.int_agent_records.words_are_mapped": [{"intermediate.int_agent_records": [moment(is_unmapped=True)]}],
    "intermediate.int_agent_records.not_clipped": [
        {"intermediate.int_agent_records": [moment(following_started_at=at("08:59:59.999999"))]}
    ],
    f"{BEYONDTRUST}_rows.representatives_are_users": [
        {f"{BEYONDTRUST}_rows": [{"table_name": "representative", "kind": "update", "user_id": None}]}
    ],
    f"{BEYONDTRUST}_participation.leaves_after_joining": [
        {f"{BEYONDTRUST}_participation": [{"joined_at": at("09:00"), "left_at": at("08:59:59.999999")}]}
    ],
    f"{BEYONDTRUST}_transfers.somebody_else": [
        {f"{BEYONDTRUST}_transfers": [{"to_kind": "agent", "from_agent_id": "5", "to_id": "5"}]}
    ],
    f"{BEYONDTRUST}_transfers.ends_after_start": [
        {f"{BEYONDTRUST}_transfers": [{"started_at": at("09:00"), "completed_at": at("08:59:59.999999")}]}
    ],
    f"{KORE}.local_times_are_certain": [{KORE: [activity(uncertainty_us=1_000_001, is_derived=True)]}],
    f"{KORE}.deliveries_agree": [{KORE: [activity(is_derived=True)]}],
    f"{KORE}.lie_in_their_windows": [
        {KORE: [activity(window_start=at(start))], "ops.feed_clock": [kore_clock(window_seconds=3600.0)]}
        for start in ("06:58:59", "08:01:01", "13:30")
    ],
    "marts.fct_agent_sessions.known_end": [{"marts.fct_agent_sessions": [session(ended_by="guessed")]}],
    "marts.fct_agent_sessions.ends_after_start": [
        {"marts.fct_agent_sessions": [session(logged_out_at=at("07:59:59.999999"))]}
    ],
    f"{INTERVALS}.union_at_most_the_sum": [{INTERVALS: [seconds(handling_seconds=2.0, work_item_seconds=1.0)]}],
    f"{INTERVALS}.not_negative": [
        {INTERVALS: [seconds(**{name: -1})]}
        for name in ("available_seconds", "handling_seconds", "unobserved_seconds", "transfers_in", "logins")
    ],
    f"{INTERVALS}.at_most_a_bucket": [{INTERVALS: [seconds(unobserved_seconds=0.001)]}],
    f"{TIMELINE}.has_length": [{TIMELINE: [told("08:00", "08:00")]}, {TIMELINE: [told("08:00", "07:00")]}],
    f"{TIMELINE}.within_the_day": [
        {TIMELINE: [told("-1d 23:59:59.999999", "08:00")]},
        {TIMELINE: [told("08:00", "+1d 00:00:00.000001")]},
    ],
    f"{TIMELINE}.known_state": [{TIMELINE: [told("08:00", "09:00", state="idle")]}],
    f"{TIMELINE}.known_evidence": [
        {TIMELINE: [told("08:00", "09:00", evidence="hearsay")]},
        {TIMELINE: [told("08:00", "09:00", evidence="none")]},
        {TIMELINE: [told("08:00", "09:00", state="unobserved")]},
    ],
    f"{TIMELINE}.session_known": [{TIMELINE: [told("08:00", "09:00", session_id=None)]}],
    f"{TIMELINE}.not_stuck": [{TIMELINE: [told("08:00", "09:00", state_started_at=at("-1d 08:59:59.999999"))]}],
    f"{TIMELINE}.tiles_the_day": [
        {**until("24:00"), TIMELINE: [told("00:00", "08:00"), told("08:00:00.000001", "24:00")]},
        {**until("24:00"), TIMELINE: [told("00:00", "08:00"), told("07:59:59.999999", "24:00")]},
        {**until("24:00"), TIMELINE: [told("00:00:01", "24:00")]},
        {**until("24:00"), TIMELINE: [told("00:00", "23:59"), told("00:00", "24:00", agent_id="bob")]},
        # The only agent of a source.
        {**until("24:00"), TIMELINE: [told("00:00", "12:00")]},
        {**until("12:00"), TIMELINE: [told("00:00", "12:00:00.000001")]},
        {TIMELINE: [told("00:00", "24:00")]},
    ],
    f"{DAYS}.equals_its_intervals": [
        {DAYS: [seconds()], INTERVALS: []},
        {DAYS: [], INTERVALS: [seconds()]},
        *(
            {DAYS: [seconds(**{name: figure})], INTERVALS: [seconds()]}
            for figure in (7, None)
            for name in ("staffed_seconds", "available_seconds", "handling_seconds", "wrap_up_seconds",
                         "not_ready_seconds", "offline_seconds", "observed_seconds", "unobserved_seconds",
                         "uncertainty_seconds", "load_seconds", "capacity_seconds", "work_item_seconds",
                         "transfers_out", "transfers_in", "logins")
        ),
        {DAYS: [seconds(load_seconds=0.0)], INTERVALS: [seconds(), seconds(load_seconds=None)]},
    ],
    f"{DAYS}.fills_the_day": [
        {DAYS: [seconds()], **until("00:14:59.99999")},
        {DAYS: [seconds()], **until("24:00")},
        {DAYS: [seconds(unobserved_seconds=None)], **until("00:15")},
        {DAYS: [seconds()]},
    ],
    "ops.day_volumes.not_collapsed": [
        {"ops.day_volumes": [volumes(**fields)]} for fields in ({"agents": 4}, {"staffed_seconds": 9e4})
    ],
    f"{INTERVALS}.counts_every_transfer": [
        {INTERVALS: [seconds(interval_start=at("09:00"), agent_id="bob")], "marts.fct_transfers": [
            transfer(from_agent_id="ann")
        ]}
    ],
    f"{FIGURES}.lies_on_quarters": [
        {FIGURES: [theirs(interval_start=at("08:00:01"))]},
        {FIGURES: [theirs(interval_end=at("08:14:59.999999"))]},
    ],
    f"{FIGURES}.lies_within_a_day": [{FIGURES: [theirs(interval_end=at("+1d 08:15"))]}],
    f"{FIGURES}.fits_its_stretch": [{FIGURES: [theirs(seconds=seconds)]} for seconds in (902.0, -0.1)],
    f"{FIGURES}.is_given": [{FIGURES: [theirs(seconds=None)]}],
    f"{RECONCILED}.within_tolerance": [
        {RECONCILED: [compared(difference_seconds=wrong)]} for wrong in (2.001, -2.001)
    ],
    f"{RECONCILED}.everybody_is_known": [{RECONCILED: [compared(ours_seconds=None, is_judged=False)]}],
    f"{PERSONS}.has_length": [{PERSONS: [human("08:00", "08:00")]}],
    f"{PERSONS}.within_the_day": [{PERSONS: [human("-1d 23:00")]}, {PERSONS: [human(end="+1d 00:00:00.000001")]}],
    f"{PERSONS}.staffed_as_the_state_says": [
        {PERSONS: [human(**fields)]}
        for fields in ({"staffed_agents": 0}, {"state": "unobserved"}, {"state": "offline"}, {"staffed_agents": 3})
    ],
    f"{PERSON_DAYS}.overlap_within_staffed": [{PERSON_DAYS: [lived(overlap_seconds=86400.1)]}],
    f"{PERSON_DAYS}.equals_the_timeline": [
        {PERSON_DAYS: [lived()], PERSONS: []},
        {PERSON_DAYS: [], PERSONS: [human()]},
        {PERSON_DAYS: [lived(unobserved_seconds=1.0)], PERSONS: [human()]},
        {PERSON_DAYS: [lived()], PERSONS: [human("00:00", "12:00"), human("11:00", "23:00")]},
    ],
    "marts.dim_agents.in_the_roster": [
        {"marts.dim_agents": [WHO_IS], "staging.roster": [{**WHO_IS, "agent_id": "bob"}]}
    ],
    "marts.dim_agent_roster.ends_after_start": [
        {"marts.dim_agent_roster": [{**WHO_IS, "origin": "roster", "valid_from": DAY, "valid_to": DAY}]}
    ],
    "marts.dim_agent_roster.known_origin": [{"marts.dim_agent_roster": [{**WHO_IS, "origin": "hearsay"}]}],
    "intermediate.int_scheduled_states.planned_are_known": [
        {"intermediate.int_scheduled_states": [{**WHO, "is_known": False}]}
    ],
    f"{ADHERENCE}.has_length": [{ADHERENCE: [did(ended_at=at("08:00"))]}],
    f"{ADHERENCE}.known_adherence": [{ADHERENCE: [did(adherence=word)]} for word in ("maybe", None)],
    f"{ADHERENCE}.activities_are_mapped": [{ADHERENCE: [did(is_unmapped=True)]}],
    f"{KEPT}.at_most_a_bucket": [
        {KEPT: [kept(neutral_seconds=0.001)]}, {KEPT: [kept(adherent_seconds=-1.0)]},
        {KEPT: [kept(observed_seconds=900.001)]},
    ],
    f"{KEPT}.work_within_the_plan": [{KEPT: [kept(scheduled_seconds=899.0)]}],
    f"{KEPT}.equals_the_stretches": [
        {KEPT: [], ADHERENCE: [did()]},
        {KEPT: [kept()], ADHERENCE: []},
        *(
            {KEPT: [kept(**{f"{name}_seconds": 901.0})], ADHERENCE: [did()]}
            for name in ("scheduled", "worked", "adherent", "out_of_adherence")
        ),
    ],
    f"{STAYS}.leaves_after_joining": [{STAYS: [stay(left_at=at("07:59:59.999999"))]}],
    f"{STAYS}.known_role": [{STAYS: [stay(role="guest")]}],
    "marts.fct_transfers.known_receiver": [{"marts.fct_transfers": [transfer(to_kind="fax")]}],
    "marts.fct_transfers.known_kind": [{"marts.fct_transfers": [transfer(kind="warm")]}],
    "marts.fct_transfers.ends_after_start": [{"marts.fct_transfers": [transfer(completed_at=at("07:59:59.999999"))]}],
    "marts.fct_transfers.hops_from_one": [{"marts.fct_transfers": [transfer(hop=0)]}],
    "marts.agg_not_ready_reasons.reason_named": [{"marts.agg_not_ready_reasons": [{**WHO, "seconds": 1.0}]}],
    "marts.agg_not_ready_reasons.equals_the_days": [
        {"marts.agg_not_ready_reasons": [{**WHO, "reason": "Lunch", "seconds": 1.0}], TIMELINE: []},
        {"marts.agg_not_ready_reasons": [], TIMELINE: [told("08:00", "09:00", state="not_ready")]},
    ],
}  # fmt: skip


def twins(check: Check, bench: Workbench) -> list[Tables]:
    """Two rows of one grain: what every uniqueness check must find."""
    grain = bench.models[check.table].grain
    values = {"VARCHAR": "x", "BIGINT": 1, "DATE": DAY}
    row = {name: values.get(bench.types[check.table][name], at("08:00")) for name in grain}
    return [{check.table: [row, row]}]


def failing(bench: Workbench, check: Check, tables: Tables) -> int:
    """Rows that the check finds when its tables hold these."""
    assert tables.keys() <= set(check.tables)
    for table in check.tables:
        bench.give(table, tables.get(table, []))
    return len(bench.query(check.sql))


def test_no_check_is_without_an_example_that_fails_it() -> None:
    """If this fails, a check was added that nobody has seen fail, or an example outlived its check."""
    assert {name for name in ALL if not name.endswith(".one_row_per_grain")} == BROKEN.keys()


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_check_finds_the_rows_that_break_it(bench: Workbench, name: str) -> None:
    """If this fails, the check would pass over the very thing that it is named after."""
    check = ALL[name]
    examples = BROKEN.get(name) or twins(check, bench)
    assert [failing(bench, check, tables) > 0 for tables in examples] == [True] * len(examples)


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_check_without_rows_finds_nothing(bench: Workbench, name: str) -> None:
    """If this fails, an empty table is an alarm."""
    assert failing(bench, ALL[name], {}) == 0


def test_good_days_pass_every_check(bench: Workbench) -> None:
    """If this fails, a check cries wolf over a plain day, or the models break one of their own claims."""
    busy: dict[str, Any] = {"capacity": rules({"voice": 1}, load=1.0), "transfers": [handed("bob", "08:20", "08:21")]}
    staged = [
        *shift("08:00:07.123457 ready", "08:20:00.000001 not-ready Lunch", "09:31 ready", end="17:00:00.3"),
        *shift("-1d 22:00 ready", "07:00:00.1 ready", end="12:00", agent_id="bob", session_id="b", **busy),
        *shift("+1d 06:00 ready", end="+1d 07:00", session_id="s2"),
        record("+1d 10:00", agent_id="cat", session_id="c", segment="open"),
    ]
    yesterday, tomorrow = DAY - timedelta(days=1), DAY + timedelta(days=1)
    attempts = [
        attempt("-1d 00:00", "00:00", "00:01"),
        attempt("00:00", "24:00", "+1d 00:01"),
        attempt("+1d 00:00", "+1d 12:00", "+1d 12:01", segment="open", open_ids=["x"]),
    ]
    chain = bench.chain(
        [yesterday, DAY, tomorrow], "", [clock("+1d 12:00", "-1d 00:00")], staged=staged, attempts=attempts
    )
    assert chain.rows(TIMELINE)
    for table in bench.types:
        bench.connection.execute(f'create or replace view {table} as select * from given."{table}"')
    assert {name: found for name, check in ALL.items() if (found := bench.query(check.sql))} == {}
