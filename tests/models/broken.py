"""For each check, tables that break it, one for each way in which they can. Expects nothing."""

from datetime import timedelta

from tests.models.kore import kore_clock
from tests.models.lost import LOST, Tables
from tests.models.sound import (
    ADHERENCE,
    BEYONDTRUST,
    BUCKETS,
    DAYS,
    FIGURES,
    INTERVALS,
    KEPT,
    KORE,
    PERSON_DAYS,
    PERSONS,
    RECONCILED,
    STAYS,
    TIMELINE,
    TRANSFERS,
    WHO,
    WHO_IS,
    activity,
    bucket,
    buckets,
    compared,
    covered,
    did,
    human,
    kept,
    lived,
    moment,
    seconds,
    session,
    stay,
    theirs,
    there,
    told,
    transfer,
    until,
    volumes,
)
from tests.models.workbench import DAY, STAGED, at, clock, handed, record

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
    "intermediate.int_agent_day_open.not_clipped": [
        {"intermediate.int_agent_records": [moment(following_started_at=at("08:59:59.999999"))]},
        {"intermediate.int_agent_day_open": [
            {**WHO, "started_at": at("-1d 22:00"), "ended_at": at("08:00:00.01"), "following_started_at": at("08:00")}
        ]},
    ],
    f"{STAGED}.transfers_are_whole": [
        {STAGED: [record("08:00", "08:20", transfers=[handed("bob", "08:10"), {**handed("bob", "08:11"), key: value}])]}
        for key, value in (
            ("interactionId", None), ("transferStartTimestamp", None), ("transferStartTimestamp", "infinity"),
        )
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
    f"{TIMELINE}.not_stuck": [
        {TIMELINE: [told("08:00", "09:00", state_started_at=at("-1d 08:59:59.999999"))]},
        # Three records that join.
        {TIMELINE: [told("-1d 09:00", "00:00", state_started_at=at("-1d 08:00")), told("00:00", "08:00"),
                    told("08:00", "08:00:00.000001")]},
        {TIMELINE: [told("08:00", "09:00:00.000001")], "ops.limits": [{"source": "cx", "stuck_after_hours": 1.0}]},
    ],
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
        {INTERVALS: [seconds(interval_start=at("08:00"), transfers_out=1)], TRANSFERS: [
            transfer(from_agent_id="ann", transfer_id=name, started_at=at(start))
            for name, start in (("t", "08:00"), ("u", "08:14:59.999999"))
        ]},
        {INTERVALS: [seconds(interval_start=at("23:45"))], TRANSFERS: [
            transfer(from_agent_id="ann", started_at=at("23:59:59.999999"), completed_at=None)
        ]},
        {INTERVALS: [seconds(interval_start=at("08:00"))], TRANSFERS: [transfer(from_agent_id="bob", to_id="ann")]},
        {INTERVALS: [seconds(interval_start=at("00:00"))], TRANSFERS: [
            transfer(from_agent_id="bob", to_id="ann", date=DAY - timedelta(days=3), started_at=at("-3d 23:59"),
                     completed_at=at("00:00"))
        ]},
        {INTERVALS: [seconds(interval_start=at("08:00"), transfers_out=1)]},
        {INTERVALS: [
            seconds(interval_start=at(f"{n:+d}d 08:00"), date=DAY + timedelta(days=n), transfers_in=1 if n == 0 else 0)
            for n in (-3, -2, -1, 0)
        ]},
    ],
    f"{INTERVALS}.counts_every_sign_in": [
        {INTERVALS: found, **until("24:00"), "ops.feed_clock": [clock()], "intermediate.int_session_days": [
            {**WHO, "session_id": "s", "signed_in_at": at("23:59:59")}
        ]} for found in ([], [seconds(interval_start=at("23:45"))], [seconds(interval_start=at("23:30"), logins=1)])
    ],
    f"{INTERVALS}.senders_are_known": [
        {INTERVALS: [seconds(interval_start=bucket_start, agent_id=agent)], **until("24:00"), TRANSFERS: [
            transfer(from_agent_id="ann", started_at=at("23:50"), completed_at=None)
        ]} for bucket_start, agent in ((at("23:45"), "bob"), (at("23:30"), "ann"))
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
        {"marts.dim_agents": [{**WHO_IS, "last_seen_at": at(seen)}], "staging.roster": [{**WHO_IS, **fields}]}
        for seen, fields in (
            ("12:00", {"agent_id": "bob"}), ("12:00", {"valid_from": DAY + timedelta(days=1)}),
            ("00:00:00.000001", {"valid_to": DAY}),
        )
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
    f"{TRANSFERS}.known_receiver": [{TRANSFERS: [transfer(to_kind="fax")]}],
    f"{TRANSFERS}.known_kind": [{TRANSFERS: [transfer(kind="warm")]}],
    f"{TRANSFERS}.ends_after_start": [{TRANSFERS: [transfer(completed_at=at("07:59:59.999999"))]}],
    f"{TRANSFERS}.hops_from_one": [{TRANSFERS: [transfer(hop=0)]}],
    "marts.agg_not_ready_reasons.reason_named": [{"marts.agg_not_ready_reasons": [{**WHO, "seconds": 1.0}]}],
    "marts.agg_not_ready_reasons.equals_the_days": [
        {"marts.agg_not_ready_reasons": [{**WHO, "reason": "Lunch", "seconds": 1.0}], TIMELINE: []},
        {"marts.agg_not_ready_reasons": [], TIMELINE: [told("08:00", "09:00", state="not_ready")]},
    ],
}  # fmt: skip
