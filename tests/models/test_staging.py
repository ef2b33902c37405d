"""Staging CxEngage replies: what the vendor sent becomes typed rows, or rejects that keep it as it came."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.models import read_checks
from orchestration.settings import sql_dir
from tests.models.workbench import STAGED, Rows, Workbench, at

SAMPLE = (Path(__file__).parent / "data" / "cxengage_agent_states_sample.txt").read_bytes().rstrip(b"\n")
MENDED = SAMPLE.replace(b'\t]\n            "agentId"', b'\t],\n            "agentId"')


def page(payload: bytes | dict[str, Any], sequence: int = 0) -> dict[str, Any]:
    """A row of the raw segment: one reply."""
    body = json.dumps(payload).encode() if isinstance(payload, dict) else payload
    return {
        "source": "cx",
        "feed": "agent_states",
        "segment": "seg",
        "sequence": sequence,
        "window_start": at("08:00"),
        "window_end": at("08:10"),
        "received_at": at("08:11"),
        "payload": body,
        "payload_sha256": hashlib.sha256(body).hexdigest(),
    }


def reply(*records: Any) -> dict[str, Any]:
    """A reply of the vendor with these records."""
    return {"tenantId": "t", "total": len(records), "results": list(records)}


def vendor_record(**fields: Any) -> dict[str, Any]:
    """The least that a record must have, and these fields."""
    return {"eventId": "e", "agentId": "ann", "start": "2026-11-03T08:00:00.5Z", **fields}


def stage(bench: Workbench, *payloads: bytes | dict[str, Any]) -> Rows:
    """What staging makes of these replies."""
    return bench.run(STAGED, cxengage_agent_states=[page(p, n) for n, p in enumerate(payloads)])


def rejected(bench: Workbench, *payloads: bytes | dict[str, Any]) -> Rows:
    """What of these replies ends in ``ops.rejects``."""
    return bench.run("ops.rejects", stg_cxengage__agent_states=stage(bench, *payloads))


@pytest.mark.parametrize("payload", [SAMPLE, b"{" + SAMPLE + b"}"], ids=["as printed", "in braces"])
def test_the_vendor_pages_own_sample_is_kept_whole_as_a_reject(bench: Workbench, payload: bytes) -> None:
    """The page's sample lacks a comma; if this fails, such a reply stops the build or is changed on its way."""
    [row] = rejected(bench, payload)
    assert row["payload"].encode() == payload
    assert row["reason"] == 'the page is not a JSON object with a list "results"'
    assert (row["source"], row["feed"], row["segment"], row["sequence"], row["record"]) == (
        "cx", "agent_states", "seg", 0, 0,
    )  # fmt: skip


def test_the_sample_reads_once_its_comma_is_there(bench: Workbench) -> None:
    """If this fails, a field of the vendor's documented record does not reach the staged row."""
    [row] = stage(bench, b"{" + MENDED + b"}")
    assert row["reject_reason"] is None
    assert row["event_id"] == "0980a230-aabf-11e7-8aba-0fc9cd50d3ff"
    assert row["next_event_id"] == "0a903d70-aabf-11e7-b5e2-9a5ac3da6edd"
    assert row["session_id"] == "e98c1770-aabe-11e7-8aba-0fc9cd50d3ff"
    assert row["agent_id"] == "b6828f70-a38f-11e7-bbe9-0fc9cd50d3ff"
    assert (row["platform_agent_id"], row["tenant_agent_id"]) == ("15251", "9326")
    assert row["agent_name"] == "Admin Subpub-Admin"
    assert (row["event_type"], row["presence"], row["state"]) == ("agent-not-ready", "not-ready", "away")
    assert (row["allocation"], row["direction"]) == ("not-allocated", "inbound")
    assert (row["reason_name"], row["reason_list_name"]) == ("Lunch", "Away Reasons")
    assert row["reason_id"] == "f9608f20-87fd-11e7-b018-9a5ac3da6edd"
    assert row["reason_list_id"] == "c3e00c20-87ff-11e7-b018-9a5ac3da6edd"
    assert row["started_at"].isoformat() == "2017-10-06T17:51:53.300000+00:00"
    assert row["ended_at"].isoformat() == "2017-10-06T17:51:55.079000+00:00"
    assert row["logged_in_at"].isoformat() == "2017-10-06T17:50:59.690000+00:00"
    assert row["duration_seconds"] == 1.779
    assert row["capacity"] == [
        {
            "channels": {"voice": 0, "email": 0, "messaging": 0, "sms": 0, "workItem": 0},
            "allocation": "not-allocated",
            "load": 0.0,
            "capacity": 1,
        }
    ]


def test_the_samples_transfers_of_another_year_are_kept(bench: Workbench) -> None:
    """The sample's transfers are a year younger than its event; if this fails, they or their day are lost."""
    [row] = stage(bench, b"{" + MENDED + b"}")
    assert [t["toAgentId"][:8] for t in row["transfers"]] == ["f818b240", "f95725b0"]
    assert row["touched_from"].isoformat() == "2017-10-06T17:51:53.300000+00:00"
    assert row["touched_until"].isoformat() == "2018-10-11T18:08:04.908000+00:00"
    bench.give(STAGED, [row])
    model = bench.models["intermediate.int_transfers"]
    bounds = {
        "partition_start": row["touched_until"].replace(hour=0),
        "partition_end": row["touched_until"].replace(hour=23),
    }
    found = bench.query(model.sql, bounds)
    assert [(r["completed_at"] - r["started_at"]).total_seconds() for r in found] == [36.806, 73.376]


def test_records_are_numbered_by_page_and_place(bench: Workbench) -> None:
    """If this fails, a reject cannot be found again in the reply that it came in."""
    rows = stage(bench, reply(vendor_record(), vendor_record(eventId="f")), reply(vendor_record(eventId="g")))
    assert rows.pick("sequence", "record", "event_id") == [(0, 1, "e"), (0, 2, "f"), (1, 1, "g")]
    assert rows.pick("window_start", "window_end", "received_at") == [("08:00", "08:10", "08:11")] * 3


def test_an_empty_reply_makes_no_rows(bench: Workbench) -> None:
    """An empty window is evidence that nothing happened; if this fails, it counts as a broken reply."""
    assert stage(bench, reply()) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"eventId": None}, "eventId is missing"),
        ({"agentId": None}, "agentId is missing"),
        ({"start": None}, "start is missing or no time"),
        ({"start": "yesterday"}, "start is missing or no time"),
        ({"start": "infinity"}, "start is missing or no time"),
        ({"end": "soon"}, "end is no time"),
        ({"end": "infinity"}, "end is no time"),
        ({"end": "2026-11-03T07:00:00Z"}, "end lies before start"),
    ],
)
def test_a_record_that_cannot_be_placed_is_rejected_alone(
    bench: Workbench, fields: dict[str, Any], reason: str
) -> None:
    """If this fails, one bad record is guessed at, or takes its neighbours with it."""
    bad = vendor_record(**fields)
    rows = stage(bench, reply(vendor_record(eventId="before"), bad, vendor_record(eventId="after")))
    assert rows.pick("reject_reason") == [None, reason, None]
    [reject] = bench.run("ops.rejects", stg_cxengage__agent_states=rows)
    assert (reject["record"], reject["reason"]) == (2, reason)
    assert json.loads(reject["payload"]) == bad
    assert rows[1]["touched_from"] is None


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b'"x"', b"<html>502</html>", b"{}", b'{"results": null}', b'{"results": {}}', b"\xff\xfe{}"],
)
def test_a_page_without_a_list_of_results_is_rejected_whole(bench: Workbench, payload: bytes) -> None:
    """If this fails, an answer that is no answer passes for an empty window."""
    [row] = rejected(bench, payload)
    assert row["record"] == 0
    if payload.isascii():
        assert row["payload"].encode() == payload


def test_one_bad_page_leaves_the_others_of_its_segment(bench: Workbench) -> None:
    """If this fails, one bad byte loses a whole window."""
    rows = stage(bench, reply(vendor_record()), b"\x80broken", reply(vendor_record(eventId="f")))
    assert sorted(rows.pick("sequence", "event_id", "record")) == [(0, "e", 1), (1, None, 0), (2, "f", 1)]


@pytest.mark.parametrize(
    ("entries", "state", "items"),
    [
        ([{}], "handling", None),
        ([{"channels": None}, {"channels": {}}], "handling", None),
        ([{"channels": {"sms": 0}}, {}], "available", 0),
        ([{"channels": {"voice": 1}}, {"channels": {"email": 2}}], "handling", 3),
    ],
)
def test_entries_without_counts_hide_no_handling(
    bench: Workbench, entries: list[dict[str, Any]], state: str, items: int | None
) -> None:
    """If this fails, who is allocated shows as waiting where the tenant's entries count no interactions."""
    capacity = [{"allocation": "allocated", "load": 0.0, "capacity": 1, **entry} for entry in entries]
    staged = stage(bench, reply(vendor_record(presence="ready", allocation="allocated", capacity=capacity)))
    found = bench.run("intermediate.int_agent_records", stg_cxengage__agent_states=staged)
    assert found.pick("state", "work_items") == [(state, items)]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (r"Ann \ud83d", "Ann \ufffd"),
        (r"\uDE00 Ann \uD83D\uD83D\uDE00", "\ufffd Ann \ufffd\U0001f600"),
        (r"C:\\ud800", r"C:\ud800"),
        (r"A\u0000nn", "A\0nn"),
        (r"\u202eAnn\u2066", "\u202eAnn\u2066"),
    ],
)
def test_a_hostile_name_costs_nobody_their_records(bench: Workbench, sent: str, name: str) -> None:
    """If this fails, one name that was cut amid a character loses the page of everybody, or another name is changed."""
    body = json.dumps(reply(vendor_record(agentName="?"), vendor_record(eventId="f", agentName="Bob"), {})).encode()
    raw = [page(body.replace(b'"?"', f'"{sent}"'.encode()))]
    rows = bench.run(STAGED, cxengage_agent_states=raw)
    assert rows.pick("event_id", "agent_name") == [("e", name), ("f", "Bob"), (None, None)]
    assert rows[2]["reject_payload"] == "{}"
    [check] = [c for c in read_checks(sql_dir(), bench.models.values())[STAGED] if c.name == "holds_every_record"]
    bench.give("raw.cxengage_agent_states", raw)
    bench.give(STAGED, rows)
    assert bench.query(check.sql) == []


def test_fields_of_an_unexpected_type_become_null_and_unknown_ones_are_passed_over(bench: Workbench) -> None:
    """If this fails, a vendor's new field or changed type loses records that can still be used."""
    rows = stage(bench, reply(vendor_record(durationSeconds="long", capacity="one", brandNew={"a": 1}, agentName=7)))
    assert rows.pick("reject_reason", "duration_seconds", "capacity", "agent_name") == [(None, None, None, "7")]


@pytest.mark.parametrize("end", [{}, {"end": None}])
def test_an_open_record_may_lack_its_end_or_have_it_null(bench: Workbench, end: dict[str, Any]) -> None:
    """The vendor does not say which it sends; if this fails, one of the two is not read as open."""
    [row] = stage(bench, reply(vendor_record(**end)))
    assert (row["ended_at"], row["next_event_id"], row["reject_reason"]) == (None, None, None)


def test_a_start_with_an_offset_is_the_same_instant(bench: Workbench) -> None:
    """If this fails, a reply in another zone moves a record to another hour."""
    rows = stage(bench, reply(vendor_record(start="2026-11-03T10:00:00.5+02:00")))
    assert rows.pick("started_at") == ["08:00:00.5"]
