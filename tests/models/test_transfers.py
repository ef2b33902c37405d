"""Transfers: each once, however often it was reported, with its place in the interaction's chain."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import sql_dir
from tests.models.workbench import DAY, Rows, Workbench, at, handed, record

ONCE = "intermediate.int_transfers"


def found(bench: Workbench, *staged: Mapping[str, Any]) -> Rows:
    """The day's transfers made of these staged rows."""
    return bench.run(ONCE, stg_cxengage__agent_states=staged)


def facts(bench: Workbench, transfers: Sequence[Mapping[str, Any]]) -> Rows:
    """The public table made of these transfers of the last 7 days."""
    return bench.run("marts.fct_transfers", int_transfers=transfers)


def passed(sender: str, to: str | None, start: str, end: str | None = None, **fields: Any) -> dict[str, Any]:
    """A row of ``int_transfers``."""
    return {
        "source": "cx",
        "transfer_id": f"{sender}{to}{start}",
        "interaction_id": "i1",
        "from_agent_id": sender,
        "to_kind": "agent",
        "to_id": to,
        "started_at": at(start),
        "completed_at": at(end) if end else None,
        "kind": "unknown",
        **fields,
    }


def test_a_transfer_repeated_in_several_rows_is_one(bench: Workbench) -> None:
    """The vendor repeats a transfer in the sender's rows while it lasts; if this fails, it is counted each time."""
    going, done = handed("bob", "08:10"), handed("bob", "08:10", "08:12")
    rows = found(
        bench,
        record("08:00", "08:11", transfers=[going]),
        record("08:11", "08:13", transfers=[done]),
        record("08:13", "08:20", transfers=[done]),
    )
    assert rows.pick("from_agent_id", "to_kind", "to_id", "started_at", "completed_at", "kind") == [
        ("ann", "agent", "bob", "08:10", "08:12", "unknown")
    ]


def test_the_end_of_a_transfer_is_not_lost_to_a_later_receipt_without_it(bench: Workbench) -> None:
    """If this fails, a finished transfer goes back into flight."""
    rows = found(
        bench,
        record("08:00", "08:11", received_at="12:00", transfers=[handed("bob", "08:10")]),
        record("08:11", "08:13", received_at="11:00", transfers=[handed("bob", "08:10", "08:12")]),
    )
    assert rows.pick("completed_at") == ["08:12"]


def test_of_two_ends_the_later_received_counts(bench: Workbench) -> None:
    """If this fails, the vendor's correction is not taken over, or the order of files decides."""
    copies = [
        record("08:00", "08:11", received_at="11:00", transfers=[handed("bob", "08:10", "08:14")]),
        record("08:00", "08:11", received_at="12:00", transfers=[handed("bob", "08:10", "08:12")]),
    ]
    assert found(bench, *copies).pick("completed_at") == ["08:12"]
    assert found(bench, *reversed(copies)).pick("completed_at") == ["08:12"]


def test_a_transfer_in_flight_has_no_end(bench: Workbench) -> None:
    """If this fails, a transfer that nobody took yet looks finished."""
    once = found(bench, record("08:00", transfers=[handed("bob", "08:10")]))
    assert facts(bench, once).pick("completed_at", "seconds") == [(None, None)]


def test_different_interactions_receivers_and_starts_are_different_transfers(bench: Workbench) -> None:
    """If this fails, two transfers of an agent fall into one."""
    several = [
        handed("bob", "08:10"),
        handed("bob", "08:10", interaction="i2"),
        handed("cat", "08:10"),
        handed("bob", "08:10:00.000001"),
    ]
    rows = found(bench, record("08:00", "09:00", transfers=several))
    assert len(set(rows.pick("transfer_id"))) == 4


def test_the_id_is_the_documented_hash(bench: Workbench) -> None:
    """Others may compute it too; if this fails, ids change and nothing can be joined to earlier exports."""
    [row] = found(bench, record("08:00", "09:00", transfers=[handed("bob", "08:10:00.000007")]))
    microseconds = int(at("08:10").timestamp()) * 1_000_000 + 7
    text = f"cx|i1|ann|bob|{microseconds}"
    assert row["transfer_id"] == hashlib.sha256(text.encode()).hexdigest()


def test_a_transfer_belongs_to_the_day_it_began_whatever_record_reports_it(bench: Workbench) -> None:
    """If this fails, a transfer around midnight is lost or counted on two days."""
    rows = found(
        bench,
        record("-1d 23:50", "00:10", transfers=[handed("bob", "00:05", "00:06"), handed("bob", "-1d 23:55", "00:01")]),
    )
    assert rows.pick("started_at") == ["00:05"]


def test_rejected_rows_and_transfers_without_interaction_or_start_are_passed_over(bench: Workbench) -> None:
    """If this fails, half a transfer counts as one."""
    nameless = handed("bob", "08:10", interaction="x")
    undated: dict[str, Any] = {**handed("bob", "08:10"), "transferStartTimestamp": None}
    rows = found(
        bench,
        record("08:00", "09:00", transfers=[{**nameless, "interactionId": None}, undated]),
        record("08:00", "09:00", transfers=[handed("bob", "08:10")], reject_reason="no time"),
        record("09:00", "10:00", transfers=None),
        record("10:00", "11:00", transfers=[]),
    )
    assert rows == []


def test_a_receiver_whom_no_feed_knows_is_kept_by_id(bench: Workbench) -> None:
    """If this fails, transfers to people outside the feed vanish."""
    rows = found(bench, record("08:00", "09:00", transfers=[handed("stranger", "08:10"), handed(None, "08:20")]))
    assert rows.pick("to_kind", "to_id") == [("agent", "stranger"), ("unknown", None)]


def test_hops_count_from_one_along_the_interaction(bench: Workbench) -> None:
    """If this fails, a chain of transfers cannot be followed."""
    rows = facts(
        bench,
        [
            passed("cat", "dan", "08:30", "08:31"),
            passed("ann", "bob", "08:10", "08:11"),
            passed("bob", "cat", "08:20", "08:21"),
            passed("bob", "cat", "08:15", "08:16", interaction_id="other"),
        ],
    )
    assert sorted(rows.pick("interaction_id", "hop", "from_agent_id", "is_return")) == [
        ("i1", 1, "ann", False),
        ("i1", 2, "bob", False),
        ("i1", 3, "cat", False),
        ("other", 1, "bob", False),
    ]


def test_a_return_goes_back_to_one_who_had_it(bench: Workbench) -> None:
    """The first sender counts as having had it; if this fails, ping-pong is not seen, or seen where there is none."""
    rows = facts(
        bench,
        [
            passed("ann", "bob", "08:10", "08:11"),
            passed("bob", "ann", "08:20", "08:21"),
            passed("ann", "cat", "08:30", "08:31"),
            passed("cat", "bob", "08:40", "08:41"),
            passed("bob", "queue", "08:50", "08:51", to_kind="queue"),
        ],
    )
    assert rows.pick("hop", "to_id", "is_return") == [
        (1, "bob", False),
        (2, "ann", True),
        (3, "cat", False),
        (4, "bob", True),
        (5, "queue", False),
    ]


def test_ping_pong_is_seen_at_every_turn(bench: Workbench) -> None:
    """If this fails, work that goes to and fro looks like progress."""
    turns = [("ann", "bob"), ("bob", "ann"), ("ann", "bob"), ("bob", "ann")]
    rows = facts(bench, [passed(one, other, f"08:{n}0", f"08:{n}1") for n, (one, other) in enumerate(turns, 1)])
    assert rows.pick("hop", "from_agent_id", "is_return") == [
        (1, "ann", False), (2, "bob", True), (3, "ann", True), (4, "bob", True)
    ]  # fmt: skip


def test_a_queue_that_bears_an_agents_number_is_not_that_agent(bench: Workbench) -> None:
    """If this fails, the first hand-over to agent 7 is a return because queue 7 had the interaction before."""
    rows = facts(
        bench,
        [
            passed("ann", "7", "08:10", "08:10", to_kind="queue"),
            passed("bob", "7", "08:20"),
            passed("7", None, "08:30", to_kind="unknown"),
            passed("cat", "ann", "08:40"),
        ],
    )
    assert rows.pick("hop", "to_kind", "is_return", "seconds") == [
        (1, "queue", False, 0.0), (2, "agent", False, None), (3, "unknown", False, None), (4, "agent", True, None)
    ]  # fmt: skip


def rates(bench: Workbench, stays: Sequence[tuple[str, str]], transfers: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What the query of docs/metrics.md says of these stays of agents in interactions, and these transfers."""
    macros = (sql_dir() / "macros" / "ratios.sql").read_text()
    bench.connection.execute(macros.replace("create macro", "create or replace temp macro"))
    bench.give("marts.dim_agents", [{"source": "cx", "agent_id": name} for name in ("ann", "bob", "cat")])
    stay = {"source": "cx", "joined_at": at("08:00"), "date": DAY}
    bench.give("marts.fct_participation", [{**stay, "agent_id": a, "interaction_id": i} for a, i in stays])
    bench.give("marts.fct_transfers", facts(bench, transfers))
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    [query] = [block for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) if "transfer_rate" in block]
    return bench.query(query).pick("agent_id", "handled", "transferred", "transfer_rate", "transfers_per_interaction")


def test_both_rates_of_transfers(bench: Workbench) -> None:
    """If this fails, an interaction handed over twice counts as two, or one that was joined again does."""
    stays = [("ann", "i1"), ("ann", "i1"), ("ann", "i2"), ("ann", "i3"), ("ann", "i4"), ("bob", "i1")]
    moved = [
        passed("ann", "bob", "08:10", "08:11"),
        passed("bob", "ann", "08:20", "08:21"),
        passed("ann", "bob", "08:30"),
        passed("ann", "sales", "08:40", interaction_id="i2", to_kind="queue"),
    ]
    assert rates(bench, stays, moved) == [
        ("ann", 4, 2, 0.5, 0.75), ("bob", 1, 1, 1.0, 1.0), ("cat", 0, 0, None, None)
    ]  # fmt: skip


def test_rates_are_null_where_no_interaction_is_named(bench: Workbench) -> None:
    """CxEngage tells of transfers and not of interactions; if this fails, a rate is made of half of what it needs."""
    assert rates(bench, [], [passed("ann", "bob", "08:10")])[0] == ("ann", 0, 0, None, None)


def test_hops_and_returns_follow_the_last_seven_days_but_only_the_day_is_shown(bench: Workbench) -> None:
    """If this fails, a chain begins anew at midnight, or days show each other's transfers."""
    rows = facts(
        bench,
        [
            passed("ann", "bob", "-6d 08:10", "-6d 08:11"),
            passed("bob", "ann", "08:10"),
            passed("ann", "cat", "+1d 08:10"),
        ],
    )
    assert rows.pick("hop", "is_return", "started_at") == [(2, True, "08:10")]


def test_seconds_are_exact(bench: Workbench) -> None:
    """If this fails, a transfer's length picks up an error from floating point."""
    assert facts(bench, [passed("ann", "bob", "08:10:00.382", "08:10:37.188")]).pick("seconds") == [36.806]


def test_pairs_sum_the_days_transfers(bench: Workbench) -> None:
    """If this fails, who hands over to whom is miscounted, or those in flight count as completed."""
    rows = facts(
        bench,
        [
            passed("ann", "bob", "08:10", "08:11"),
            passed("ann", "bob", "09:10", "09:10:30", interaction_id="i2"),
            passed("ann", "bob", "10:10", interaction_id="i3"),
            passed("bob", "ann", "08:20", "08:21"),
            passed("cat", "queue", "08:20", to_kind="queue", interaction_id="i4"),
        ],
    )
    pairs = bench.run("marts.agg_transfer_pairs", fct_transfers=rows)
    assert pairs.pick("from_agent_id", "to_id", "transfers", "completed", "seconds", "returns") == [
        ("ann", "bob", 3, 2, 90.0, 0),
        ("bob", "ann", 1, 1, 60.0, 1),
        ("cat", "queue", 1, 0, None, 0),
    ]


def test_participation_has_its_columns_and_no_rows(bench: Workbench) -> None:
    """CxEngage names no interaction; if this fails, joinings are invented, or the public table is gone."""
    assert bench.run("marts.fct_participation") == []


@pytest.mark.parametrize(("first", "expected"), [("-7d 08:10", (3, True)), ("-7d 08:09:59.999999", (2, False))])
def test_the_last_seven_days_end_at_the_transfer(bench: Workbench, first: str, expected: tuple[int, bool]) -> None:
    """If this fails, a hop depends on how late in its day it was."""
    earlier = passed("ann", "bob", first), passed("bob", "cat", "-7d 23:00")
    rows = facts(
        bench,
        [*earlier, passed("cat", "ann", "08:10", transfer_id="b"), passed("dan", "eve", "08:10", transfer_id="c")],
    )
    assert rows.pick("hop", "is_return") == [expected, (expected[0] + 1, False)]
