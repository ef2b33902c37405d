"""What differs between vendors in the shared tables: figures that one cannot give, its transfers and participation."""

from typing import Any

import pytest

from tests.models.huawei import asked, cms, operation, operations, poll
from tests.models.huawei import records as huawei_records
from tests.models.watched import build, feed_clock, looked, said
from tests.models.workbench import Rows, Workbench, at, handed, record

DAYS = "marts.agg_agent_days"
INTERVALS = "marts.fct_agent_intervals"
SECONDS = ("staffed", "available", "handling", "wrap_up", "not_ready", "offline", "unobserved", "load", "capacity",
           "work_item")  # fmt: skip


def figures(bench: Workbench, vendor: str, *rows: dict[str, Any], **inputs: Any) -> list[dict[str, float | None]]:
    """Hours of a day by name, per agent."""
    feed = rows[0]["feed"]
    whole: dict[str, Any] = {"clocks": [feed_clock(vendor=vendor)], "attempts": looked(("00:00", "24:00"), feed=feed)}
    days = build(bench, rows, last=DAYS, **whole, **inputs).rows(DAYS)
    return [{name: row[f"{name}_seconds"] and row[f"{name}_seconds"] / 3600 for name in SECONDS} for row in days]


def test_kore_gives_no_handling_for_the_whole_source(bench: Workbench) -> None:
    """If this fails, an agent of Kore.ai shows as idle all day, and drags every occupancy down."""
    rows = [said("08:00", "ready", vendor="kore"), said("12:00", "notready", vendor="kore"),
            said("16:00", "logout", vendor="kore"), said("08:00", "logout", vendor="kore", agent_id="bob")]  # fmt: skip
    ann, bob = figures(bench, "kore", *rows)
    none = dict.fromkeys(("handling", "wrap_up", "load", "capacity", "work_item"))
    assert ann == {**none, "staffed": 8, "available": 4, "not_ready": 4, "offline": 8, "unobserved": 8}
    assert bob == {**none, "staffed": 0, "available": 0, "not_ready": 0, "offline": 16, "unobserved": 8}


def test_kore_gives_handling_where_the_map_says_so(bench: Workbench) -> None:
    """If this fails, the user's own map counts for the timeline but not for the sums."""
    own = {"vendor": "kore", "vendor_state": "On a call", "state": "handling", "source": "bt"}
    rows = [said("08:00", "ready", vendor="kore"), said("12:00", "On a call", vendor="kore"),
            said("16:00", "logout", vendor="kore")]  # fmt: skip
    [ann] = figures(bench, "kore", *rows, state_map=[*bench.state_map, own])
    assert (ann["available"], ann["handling"], ann["work_item"]) == (4, 4, None)
    [elsewhere] = figures(bench, "kore", *rows, state_map=[*bench.state_map, {**own, "source": "kore_in"}])
    assert (elsewhere["available"], elsewhere["handling"], elsewhere["unobserved"]) == (4, None, 12)


def test_beyondtrust_counts_sessions_but_no_capacity(bench: Workbench) -> None:
    """If this fails, two sessions at once count as one, or a capacity that nobody told shows as zero."""
    rows = [
        said("08:00", work_items=0, load=0),
        said("10:00", "busy", work_items=2, load=2, is_handling=True),
        said("12:00", "assignment_off", work_items=0, load=0),
        said("13:00", "logged_out"),
        said("08:00", "logged_out", agent_id="bob"),
    ]
    ann, bob = figures(bench, "beyondtrust", *rows)
    assert (ann["handling"], ann["work_item"], ann["load"], ann["capacity"]) == (2, 4, 4, None)
    assert (ann["available"], ann["not_ready"], ann["wrap_up"]) == (2, 1, None)
    assert (bob["handling"], bob["work_item"], bob["load"], bob["capacity"]) == (0, 0, 0, None)


def test_huawei_gives_handling_and_wrap_up_but_no_counts(bench: Workbench) -> None:
    """If this fails, what the gateway tells is missing, or counts appear that it does not tell."""
    rows = [said(start, word, vendor="huawei") for start, word in (("08:00", "7"), ("10:00", "5"), ("11:00", "2"))]
    [ann] = figures(bench, "huawei", *rows)
    assert (ann["handling"], ann["wrap_up"], ann["offline"]) == (2, 1, 13)
    assert (ann["load"], ann["capacity"], ann["work_item"]) == (None, None, None)


def moved(sender: str, to: str | None, start: str, kind: str = "agent", **fields: Any) -> dict[str, Any]:
    """A hand-over as a vendor's model gives it."""
    return {"source": "bt", "interaction_id": "i", "from_agent_id": sender, "to_kind": kind, "to_id": to,
            "started_at": at(start), "completed_at": at(start), "kind": "unknown", **fields}  # fmt: skip


@pytest.mark.parametrize("vendor", ["huawei", "beyondtrust"])
def test_transfers_of_every_vendor_get_hop_and_return(bench: Workbench, vendor: str) -> None:
    """If this fails, hand-overs of other vendors are not in the public table, or their chains are not followed."""
    rows = [
        moved("ann", "sales", "08:00", "queue"),
        moved("ann", "bob", "08:10") | {"kind": "consult"},
        moved("bob", "ann", "08:20", completed_at=None),
        moved("bob", None, "08:30", "unknown"),
        moved("ann", "bob", "08:10", interaction_id="j"),
    ]
    inputs: dict[str, Any] = {f"int_{vendor}_transfers": rows}
    once = bench.run("intermediate.int_transfers", **inputs)
    facts = bench.run("marts.fct_transfers", int_transfers=once)
    columns = ("interaction_id", "hop", "to_kind", "to_id", "kind", "is_return", "seconds")
    assert sorted(facts.pick(*columns), key=lambda row: row[:2]) == [
        ("i", 1, "queue", "sales", "unknown", False, 0.0),
        ("i", 2, "agent", "bob", "consult", False, 0.0),
        ("i", 3, "agent", "ann", "unknown", True, None),
        ("i", 4, "unknown", None, "unknown", False, 0.0),
        ("j", 1, "agent", "bob", "unknown", False, 0.0),
    ]
    assert len({row["transfer_id"] for row in facts}) == 5


def test_transfers_of_several_vendors_do_not_mix(bench: Workbench) -> None:
    """If this fails, equal ids of interactions at two vendors are one chain."""
    once = bench.run(
        "intermediate.int_transfers",
        stg_cxengage__agent_states=[record("08:00", "09:00", transfers=[handed("bob", "08:10", interaction="i")])],
        int_huawei_transfers=[moved("bob", "ann", "08:20", source="hw")],
        int_beyondtrust_transfers=[moved("bob", "ann", "08:30")],
    )
    facts = bench.run("marts.fct_transfers", int_transfers=once)
    assert facts.pick("source", "hop", "is_return") == [("bt", 1, False), ("cx", 1, False), ("hw", 1, False)]


def test_a_hand_over_that_huawei_writes_twice_is_one(bench: Workbench) -> None:
    """Transfer and release are operations of their own; if this fails, one hand-over counts twice under one id."""
    staged = [
        operation("08:00", "08:01", 45, op_object="102", call_id="c"),
        operation("08:00", "08:02", 54, op_object="102", call_id="c"),
    ]
    found: Rows = bench.run("intermediate.int_huawei_transfers", int_huawei_operations=operations(bench, staged))
    assert found.pick("to_kind", "to_id", "completed_at", "kind") == [("agent", "102", "08:02", "blind")]


def stay(source: str, start: str, end: str | None, **fields: Any) -> dict[str, Any]:
    """A participation as a vendor's model gives it."""
    return {"source": source, "interaction_id": "i", "agent_id": "ann", "joined_at": at(start),
            "left_at": at(end) if end else None, **fields}  # fmt: skip


def test_participation_of_all_vendors_that_name_interactions(bench: Workbench) -> None:
    """If this fails, who took part in what is missing, or lengths are wrong, or a role that nobody told is refused."""
    rows = bench.run(
        "marts.fct_participation",
        int_huawei_participation=[stay("hw", "08:00", "08:30", role="owner", channel="voice")],
        int_beyondtrust_participation=[stay("bt", "09:00", None, channel="chat")],
    )
    assert rows.pick("source", "joined_at", "left_at", "seconds", "role", "channel") == [
        ("bt", "09:00", None, None, None, "chat"),
        ("hw", "08:00", "08:30", 1800.0, "owner", "voice"),
    ]
    [check] = [c for c in bench.models["marts.fct_participation"].checks if c.name == "known_role"]
    bench.give("marts.fct_participation", rows)
    assert bench.query(check.sql) == []


def test_the_gateways_sign_ins_are_when_agents_were_first_seen_to_be_back(bench: Workbench) -> None:
    """The gateway names no sign-in; if this fails, the afternoon belongs to the morning's session."""
    rows = [poll(f"{hour:02}:{second}", state) for hour, state in ((8, 4), (9, 2), (10, None), (11, 3), (12, 4))
            for second in ("00:00", "00:05")]  # fmt: skip
    assert huawei_records(bench, rows).pick("started_at", "vendor_state", "logged_in_at") == [
        ("08:00", "4", None),
        ("09:00", "2", None),
        ("10:00", "error", None),
        ("11:00", "3", "11:00"),
        ("12:00", "4", "11:00"),
    ]


def test_a_sign_in_that_two_feeds_tell_has_one_name(bench: Workbench) -> None:
    """History writes whole seconds, polls thousandths; if this fails, one sign-in is two sessions."""
    past = [asked("00:00", "09:00"), operation("08:00", "08:00", 1), operation("08:10", "08:20", 3)]
    since = round(at("08:00:00.512").timestamp() * 1000)
    present = [
        cms(f"09:{minute}:{second}", 1, 10, logon_ms=since) for minute in ("00", "10") for second in ("00", "05")
    ]
    gateway = [poll(f"09:05:{second}", 5) for second in ("00", "05")]
    rows = huawei_records(bench, gateway, present, past)
    assert {row["feed"] for row in rows if row["logged_in_at"]} == {"cms_history", "cms_status", "agent_status"}
    assert set(rows.pick("vendor_state", "logged_in_at")) == {
        ("0", None), ("2", "08:00"), ("3", "08:00"), ("1", "08:00"), ("5", "08:00"),
    }  # fmt: skip


def test_a_rest_keeps_its_reason_where_only_the_gateway_goes_on_with_it(bench: Workbench) -> None:
    """The gateway tells no reasons; if this fails, one break is two where it polls last, one without a reason."""
    present = [cms(f"09:00:{second}", 8, 10, current_state_reason=201) for second in ("00", "05")]
    for state, reason in ((8, "201"), (3, None)):
        gateway = [poll(f"09:00:{second}", state) for second in ("01", "06", "11")]
        rows = huawei_records(bench, gateway, present)
        shown = rows.pick("feed", "reason_code", "reason")
        assert (shown[0], shown[-1]) == (("cms_status", "201", "201"), ("agent_status", reason, reason))
    gateway = [poll(f"09:10:{second}", 8) for second in ("01", "06", "11")]
    assert huawei_records(bench, gateway, present).pick("feed", "reason")[-1] == ("agent_status", None)
