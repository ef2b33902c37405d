"""Staging of CxEngage's own sums, whatever bytes come: rows or rejects, never an exception, and nothing disappears."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.models.workbench import Rows, Workbench, at

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.sampled_from(
        ["2026-11-03T08:00:00Z", "infinity", "1e400", "0001-01-01", "\x00", "999999-01-01"]
    )
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
)
fields = st.sampled_from(["agentId", "startTimestamp", "endTimestamp", "idleTime", "busyTime", "handledCallCount", "x"])
sound = st.fixed_dictionaries(
    {
        "agentId": st.text(min_size=1, max_size=4),
        "startTimestamp": st.just("2026-11-03T08:00:00Z"),
        "endTimestamp": st.just("2026-11-03T08:15:00Z"),
        "idleTime": st.integers(0, 900),
    }
)
records = st.one_of(
    sound, st.builds(lambda one, odd: one | odd, sound, st.dictionaries(fields, values, max_size=3)), values
)


def stage(bench: Workbench, *payloads: bytes) -> Rows:
    """What staging makes of these pages of one segment."""
    window = {"window_start": at("08:00"), "window_end": at("09:00"), "received_at": at("09:20")}
    return bench.run(
        "staging.stg_cxengage__agent_intervals",
        cxengage_agent_intervals=[
            {"source": "cx", "segment": "seg", "sequence": n, "payload": payload, "payload_sha256": str(n), **window}
            for n, payload in enumerate(payloads)
        ],
    )


@settings(max_examples=25)
@given(payloads=st.lists(st.binary(max_size=40), min_size=1, max_size=5))
@example(payloads=[b"", b"\x00", b"\xff\xfe", b"{", b"[]", b"null", b'{"results":{}}', b'{"results":[1,null,{}]}'])
def test_any_bytes_become_rejects_and_no_page_is_lost(bench: Workbench, payloads: list[bytes]) -> None:
    """If this fails, a broken reply stops the build or vanishes without a trace."""
    rows = stage(bench, *payloads)
    assert {row["sequence"] for row in rows} == set(range(len(payloads)))
    assert all(row["reject_reason"] for row in rows)


@settings(max_examples=40)
@given(page=st.lists(records, max_size=4), alone=st.booleans())
def test_each_record_is_one_row_or_one_reject(bench: Workbench, page: list[Any], *, alone: bool) -> None:
    """If this fails, sums are lost or multiplied, or one odd record takes sound ones with it."""
    alone = alone and len(page) == 1 and isinstance(page[0], dict)
    rows = stage(bench, json.dumps({"total": len(page), "results": page[0] if alone else page}).encode())
    assert sorted(row["record"] for row in rows) == list(range(1, len(page) + 1))
    for row in rows:
        given_ = page[row["record"] - 1]
        if row["reject_reason"] is None:
            assert isinstance(given_, dict)
            assert row["interval_end"] > row["interval_start"]
        else:
            assert row["reject_payload"]
            assert row["touched_from"] is None
    whole = {n for n, one in enumerate(page, 1) if isinstance(one, dict) and _is_sound(one)}
    assert whole <= {row["record"] for row in rows if row["reject_reason"] is None}


def _is_sound(one: dict[str, Any]) -> bool:
    return (
        isinstance(one.get("agentId"), str)
        and one.get("startTimestamp") == "2026-11-03T08:00:00Z"
        and one.get("endTimestamp") == "2026-11-03T08:15:00Z"
    )
