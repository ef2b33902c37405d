"""Staging Kore.ai replies: what the vendor sent becomes typed rows, or rejects that keep it as it came."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.models.kore import reply, said, stage, vendor_update
from tests.models.workbench import Workbench

SAMPLE = (Path(__file__).parent / "data" / "kore_agent_activity_sample.txt").read_bytes()
ON_ITS_DAY = {
    "window_start": datetime(2020, 10, 20, 2, tzinfo=UTC),
    "window_end": datetime(2020, 10, 20, 3, tzinfo=UTC),
}


def test_half_a_character_costs_no_reply(bench: Workbench) -> None:
    """If this fails, all updates of a reply are lost with the one whose code was cut."""
    body = json.dumps(reply(vendor_update(ReasonCode="?"), vendor_update(AgentId="bob"))).encode()
    rows = stage(bench, body.replace(b'"?"', rb'"\udc00"'))
    assert rows.pick("agent_id", "reason_code") == [("ann", "\ufffd"), ("bob", "1")]


def test_the_vendor_pages_own_sample_is_read(bench: Workbench) -> None:
    """If this fails, a field of the vendor's documented update does not reach the staged row."""
    [row] = stage(bench, SAMPLE, **ON_ITS_DAY)
    assert (row["account_id"], row["agent_id"]) == ("63fb9a0f90425b644d3exxxx", "a-59bb17e-0cae-46b0-8d80-a8a8ac34xxxx")
    assert (row["event_time"].isoformat(), row["activity"], row["reason_code"]) == (
        "2020-10-20T02:13:12", "notready", "1",
    )  # fmt: skip
    assert (row["reject_reason"], row["reject_payload"]) == (None, None)
    # Anywhere on earth a clock on the wall shows this time within these instants.
    assert row["touched_from"] == datetime(2020, 10, 19, 12, 13, 12, tzinfo=UTC)
    assert row["touched_until"] == datetime(2020, 10, 20, 14, 13, 12, tzinfo=UTC)


def test_the_samples_own_window_does_not_hold_its_update(bench: Workbench) -> None:
    """The page asks for 2023 and shows 2020: no day would look for it there; if this fails, it vanishes unseen."""
    asked = {
        "window_start": datetime(2023, 4, 2, 9, 45, tzinfo=UTC),
        "window_end": datetime(2023, 4, 6, 10, tzinfo=UTC),
    }
    [row] = stage(bench, SAMPLE, **asked)
    assert row["event_time"].isoformat() == "2020-10-20T02:13:12"
    assert row["reject_reason"] == "EventTime is not near the window that was asked for"
    assert json.loads(row["reject_payload"])["EventTime"] == "10/20/2020 2:13:12"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("-34d 00:00", None),
        ("-35d 23:59:59", "EventTime is not near the window that was asked for"),
        ("07:59:59", None),
        ("+1d 13:59:59", None),
        ("+1d 14:00", "EventTime is not near the window that was asked for"),
    ],
)
def test_an_update_outside_its_window_counts_as_far_as_a_day_looks(
    bench: Workbench, time: str, reason: str | None
) -> None:
    """If this fails, updates by their own time are refused, or accepted where no day ever finds them."""
    [row] = stage(bench, reply(vendor_update(EventTime=said(time))))
    assert row["reject_reason"] == reason


def test_both_spellings_are_read(bench: Workbench) -> None:
    """The vendor's table and sample differ; if this fails, one of the two yields nothing."""
    camel = {"agentId": "bob", "eventTime": "11/03/2026 08:00:00", "activity": "notready", "reasonCode": 7}
    rows = stage(bench, {"accountId": "acc", "agentUpdates": [camel, vendor_update()]})
    assert rows.pick("agent_id", "activity", "reason_code", "reject_reason") == [
        ("bob", "notready", "7", None),
        ("ann", "ready", "1", None),
    ]
    assert rows[0]["event_time"] == rows[1]["event_time"]


def test_words_that_nobody_knows_pass_through(bench: Workbench) -> None:
    """The words are listed nowhere; if this fails, a new activity or reason code is lost before it can be mapped."""
    rows = stage(bench, reply(vendor_update(Activity="Zumba", ReasonCode="x-9"), vendor_update(ReasonCode=None)))
    assert rows.pick("activity", "reason_code", "reject_reason") == [("Zumba", "x-9", None), ("ready", None, None)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"AgentId": None}, "AgentId is missing or no text"),
        ({"AgentId": " "}, "AgentId is missing or no text"),
        ({"AgentId": {"id": "ann"}}, "AgentId is missing or no text"),
        ({"Activity": None}, "Activity is missing or no text"),
        ({"Activity": ["ready"]}, "Activity is missing or no text"),
        ({"EventTime": None}, "EventTime is missing or no time as MM/DD/YYYY HH:MM:SS"),
        ({"EventTime": "yesterday"}, "EventTime is missing or no time as MM/DD/YYYY HH:MM:SS"),
        ({"EventTime": "13/11/2026 08:00:00"}, "EventTime is missing or no time as MM/DD/YYYY HH:MM:SS"),
        ({"EventTime": "11/03/2026 24:00:00"}, "EventTime is missing or no time as MM/DD/YYYY HH:MM:SS"),
        ({"EventTime": 1793692800}, "EventTime is missing or no time as MM/DD/YYYY HH:MM:SS"),
    ],
)
def test_an_update_that_cannot_be_placed_is_rejected_alone(
    bench: Workbench, fields: dict[str, Any], reason: str
) -> None:
    """If this fails, one bad update is guessed at, or takes its neighbours with it."""
    bad = vendor_update(**fields)
    rows = stage(bench, reply(vendor_update(), bad, vendor_update(AgentId="bob")))
    assert rows.pick("reject_reason") == [None, reason, None]
    [reject] = bench.run("ops.rejects", stg_kore__agent_activity=rows)
    assert (reject["source"], reject["feed"], reject["record"], reject["reason"]) == (
        "kore_in", "agent_activity", 2, reason,
    )  # fmt: skip
    assert json.loads(reject["payload"]) == bad
    assert (rows[1]["touched_from"], rows[1]["touched_until"]) == (None, None)


@pytest.mark.parametrize("odd", [None, 1, "ready", [], True])
def test_an_update_that_is_no_object_is_rejected(bench: Workbench, odd: Any) -> None:
    """If this fails, something that is no update vanishes or stops the build."""
    rows = stage(bench, reply(odd))
    assert rows.pick("reject_reason", "reject_payload") == [("the update is no JSON object", json.dumps(odd))]


@pytest.mark.parametrize(
    "payload",
    [
        {"accountId": "acc", "AgentUpdates": []},
        {"accountId": "acc", "agentUpdates": []},
        {"accountId": "acc", "AgentUpdates": None},
        {"accountId": "acc"},
        {"AgentUpdates": []},
    ],
)
def test_a_quiet_window_makes_no_rows(bench: Workbench, payload: dict[str, Any]) -> None:
    """The vendor does not say how it tells of silence; if this fails, quiet nights count as broken replies."""
    assert stage(bench, payload) == []


def test_no_content_makes_no_rows(bench: Workbench) -> None:
    """If this fails, status 204, or an empty body that came with 200, is taken for the other."""
    assert stage(bench, b"", status=204) == []
    assert stage(bench, b"", status=200).pick("record") == [0]


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"null", b"[]", b'"x"', b"<html>502</html>", b"{}", b'{"AgentUpdates": {}}', b"\xff\xfe{}",
        b'{"accountId": "acc", "msg": "Invalid SDK credentials", "code": 4002}', b'{"accountId": "acc", "AgentUpd',
    ],
)  # fmt: skip
def test_a_page_that_is_no_reply_is_rejected_whole(bench: Workbench, payload: bytes) -> None:
    """If this fails, an error told with status 200 passes for a window in which nothing happened."""
    [row] = bench.run("ops.rejects", stg_kore__agent_activity=stage(bench, payload))
    assert (row["record"], row["reason"]) == (0, 'the page is not a JSON object with a list "AgentUpdates"')
    if payload.isascii():
        assert row["payload"].encode() == payload


def test_one_bad_page_leaves_the_others_of_its_segment(bench: Workbench) -> None:
    """If this fails, one bad byte loses a whole window."""
    rows = stage(bench, reply(vendor_update()), b"\x80broken", reply(vendor_update(AgentId="bob")))
    assert sorted(rows.pick("sequence", "record", "agent_id")) == [(0, 1, "ann"), (1, 0, None), (2, 1, "bob")]
