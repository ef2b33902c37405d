"""Staging of Huawei's answers, whatever bytes come: rows or rejects, never an exception, and nothing disappears."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.models.workbench import DAY, Rows, Workbench, at

FEEDS = ("agent_status", "cms_status", "cms_history")
REQUESTS = {
    "agent_status": "GET /agentgateway/resource/onlineagent/101/agentstatus",
    "cms_status": "POST /rest/cmsapp/v1/openapi/agentgroup/agentstatusinfobyagentids",
    "cms_history": 'POST /rest/cmsapp/v1/openapi/agent/agentoprinfo {"currentAgentId":101}',
}
FIELDS = {
    "agent_status": ["retcode", "result", "agentState", "isWorking", "event", "eventType", "eventGenTime"],
    "cms_status": ["agentId", "currentState", "currentStateTime", "prevState", "prevStateTime", "logonTime"],
    "cms_history": ["id", "agentId", "opType", "beginTime", "endTime", "opCause", "callId", "begin_time"],
}
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.sampled_from(
        ["0", "0100000", "2026-11-03 08:00:00", "1793692800000", "99999999999999", "infinity", "1e400", "\x00", "-1"]
    )
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def stage(bench: Workbench, feed: str, payloads: list[bytes]) -> Rows:
    """What staging makes of these answers of one segment."""
    times = {"requested_at": at("08:10"), "received_at": at("08:10"), "window_start": at("08:00"), "status": 200}
    pages = [
        {"source": "hw", "segment": "seg", "sequence": n, "payload": payload, "payload_sha256": str(n)}
        for n, payload in enumerate(payloads)
    ]
    page = {**times, "window_end": at("09:00"), "request": REQUESTS[feed]}
    return bench.run(f"staging.stg_huawei__{feed}", DAY, **{f"huawei_{feed}": [{**page, **one} for one in pages]})


@pytest.mark.parametrize("feed", FEEDS)
@settings(max_examples=25)
@given(payloads=st.lists(st.binary(max_size=40), min_size=1, max_size=5))
@example(payloads=[b"", b"\x00", b"\xff\xfe", b"{", b"[]", b"null", b'{"retcode":"0"}', b'{"resultCode":"0100000"}'])
def test_any_bytes_become_rows_or_rejects_and_no_page_is_lost(
    bench: Workbench, feed: str, payloads: list[bytes]
) -> None:
    """If this fails, a broken answer stops the build or vanishes without a trace."""
    rows = stage(bench, feed, payloads)
    assert {row["sequence"] for row in rows} == set(range(len(payloads)))
    assert all((row["reject_reason"] is None) == (row["reject_payload"] is None) for row in rows)
    rejects = bench.run("ops.rejects", DAY, **{f"stg_huawei__{feed}": rows})
    assert len(rejects) == sum(row["reject_reason"] is not None for row in rows)


@pytest.mark.parametrize("feed", ["cms_status", "cms_history"])
@settings(max_examples=25)
@given(data=st.data())
def test_each_record_of_a_reply_is_one_row_or_one_reject(bench: Workbench, feed: str, data: st.DataObject) -> None:
    """If this fails, records are lost or multiplied on their way from a reply to its rows."""
    odd = st.dictionaries(st.sampled_from(FIELDS[feed]), values, max_size=6)
    records: list[Any] = data.draw(st.lists(st.one_of(odd, values), max_size=4))
    payload = json.dumps({"resultCode": "0100000", "resultDesc": records}).encode()
    rows = [row for row in stage(bench, feed, [payload]) if row["record"] > 0]
    assert sorted(row["record"] for row in rows) == list(range(1, len(records) + 1))
    assert all(row["reject_reason"] is None or row["reject_payload"] for row in rows)


@settings(max_examples=30)
@given(answer=st.dictionaries(st.sampled_from(FIELDS["agent_status"]), values, max_size=5))
def test_any_answer_of_the_gateway_is_one_row(bench: Workbench, answer: dict[str, Any]) -> None:
    """If this fails, an odd answer is lost, or counts as a state that it does not tell."""
    [row] = stage(bench, "agent_status", [json.dumps(answer).encode()])
    if row["reject_reason"] is None:
        assert row["retcode"] is not None
        assert (row["agent_state"] is not None) == (row["retcode"] == "0")
