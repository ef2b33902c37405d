"""Files of CC-FS: staging makes a row or reject of each line, and history knows all agents' operations by them."""

import io
import zipfile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.huawei.files import COLUMNS
from tests.models.huawei import HISTORY, asked, operation, operations
from tests.models.workbench import DAY, Rows, Workbench, at


def line(start: str, end: str = "", kind: int = 3, **cells: str) -> str:
    """A line of a file, of agent 101."""
    times = {"begin_time": f"2026-11-03 {start}", "end_time": f"2026-11-03 {end}" if end else ""}
    told = {"id": "9", "agent_id": "101", **times, "op_type": str(kind), "op_object": "-1", "op_cause": "1", **cells}
    return ",".join(told.get(name, "") for name in COLUMNS)


def stage(bench: Workbench, *payloads: bytes, content_type: str = "text/csv") -> Rows:
    """What staging makes of these files, each a page of one segment."""
    page = {
        "source": "hw",
        "segment": "seg",
        "content_type": content_type,
        "request": "FILE a.csv",
        "status": 200,
        "requested_at": at("10:00"),
        "received_at": at("10:00"),
        "window_start": at("08:00"),
        "window_end": at("09:00"),
    }
    pages = [{**page, "sequence": n, "payload": one, "payload_sha256": "p"} for n, one in enumerate(payloads)]
    return bench.run("staging.stg_huawei__cms_history", DAY, huawei_cms_history=pages)


def test_a_line_becomes_an_operation_as_of_cc_cms(bench: Workbench) -> None:
    """If this fails, an operation that was handed over as a file differs from one that was asked for."""
    text = f"{','.join(COLUMNS)}\r\n{line('08:00:01', '08:10:00', 4, call_id='1-2', phone_no='+44,1'.replace(',', ''))}"
    told, row = stage(bench, text.encode())
    assert (told["record"], told["agent_id"], told["reject_reason"]) == (0, None, None)
    found = {name: row[name] for name in ("record", "agent_id", "id", "op_type", "op_cause", "op_object", "call_id")}
    assert found == {
        "record": 1,
        "agent_id": "101",
        "id": "9",
        "op_type": "4",
        "op_cause": "1",
        "op_object": "-1",
        "call_id": "1-2",
    }
    assert (row["begin_at"], row["end_at"], row["phone_no"]) == (at("08:00:01"), at("08:10"), "+441")
    assert (row["touched_from"], row["touched_until"]) == (at("08:00:01"), at("08:10"))


def test_a_zip_is_read_as_it_was_received(bench: Workbench) -> None:
    """If this fails, what CC-FS hands out must be unpacked by hand."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("1_agentOprInfo_1.csv", line("08:00:01"))
        archive.writestr("1_agentOprInfo_2.csv", line("08:30:00"))
    rows = stage(bench, packed.getvalue(), content_type="application/zip")
    assert rows.pick("record", "begin_at", "reject_reason") == [
        (0, None, None),
        (1, "08:00:01", None),
        (2, "08:30", None),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2,3", "the line has not 21 cells"),
        (line("08:00:00", agent_id=" "), "the record names no agent"),
        (line("08:00:00", op_type=""), "op_type is missing or no number"),
        (line("08:00:00", begin_time="2026-13-01 00:00:00"), "begin_time is missing or no time"),
        (line("08:00:00", "07:00:00"), "end_time lies before begin_time"),
    ],
)
def test_a_line_that_says_nothing_is_rejected_as_it_stands(bench: Workbench, text: str, reason: str) -> None:
    """If this fails, a line disappears, or one odd line loses the others."""
    rows = stage(bench, f"{text}\n{line('08:20:00')}\n".encode())
    assert rows.pick("record", "reject_reason", "reject_payload") == [
        (0, None, None),
        (1, reason, text),
        (2, None, None),
    ]


@pytest.mark.parametrize("payload", [b"", b"\n \n", b"PK\x03\x04 cut off"])
def test_a_file_without_lines_is_rejected(bench: Workbench, payload: bytes) -> None:
    """If this fails, a broken download looks like a quiet day."""
    [row] = stage(bench, payload)
    assert (row["record"], row["reject_reason"]) == (0, "the file is neither a CSV with lines nor a zip of one")
    assert row["touched_from"] is None


cells = st.text(st.sampled_from('0129-: ,"\x00\ré'), max_size=12)


@settings(max_examples=30)
@given(
    payloads=st.lists(
        st.one_of(st.binary(max_size=40), st.lists(cells).map(lambda c: ",".join(c).encode())), max_size=4
    )
)
@example(payloads=[b"\x00", b'"\n"', line("08:00:00", agent_id="\x00").encode(), b"," * 20, b"\xff" * 3, b"PK\x05\x06"])
def test_any_bytes_become_rows_or_rejects_and_no_file_is_lost(bench: Workbench, payloads: list[bytes]) -> None:
    """If this fails, a broken file stops the build or vanishes without a trace."""
    rows = stage(bench, *payloads)
    assert {row["sequence"] for row in rows if row["record"] == 0} == set(range(len(payloads)))
    assert all((row["reject_reason"] is None) == (row["reject_payload"] is None) for row in rows)
    for n, payload in enumerate(payloads):
        records = sorted(row["record"] for row in rows if row["sequence"] == n)
        assert records == list(range(len(records)))
        if not payload.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            text = payload.decode("utf-8-sig", "replace")
            assert len(records) - 1 == sum(bool(one.removesuffix("\r").strip()) for one in text.split("\n"))


def test_a_file_tells_from_its_first_end_to_its_last_begin(bench: Workbench) -> None:
    """Whether operations are picked by begin or end is not known; if this fails, a file claims more than it holds."""
    text = "\n".join([line("05:00:00", "08:00:30"), line("08:10:00", "08:20:00"), line("08:50:00", "11:00:00"), "odd"])
    told = stage(bench, text.encode())[0]
    assert (told["touched_from"], told["touched_until"]) == (at("08:00:30"), at("08:50"))


def history(bench: Workbench, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Stretches of agents by operations."""
    found = bench.run(HISTORY, stg_huawei__cms_history=rows, int_huawei_operations=operations(bench, rows))
    return found.pick("agent_id", "started_at", "ended_at", "vendor_state", "is_derived")


def test_a_file_is_known_of_all_agents_in_it(bench: Workbench) -> None:
    """If this fails, an agent in a file is unobserved between operations, where one asked for is idle."""
    told: list[dict[str, Any]] = []
    for agent in ("101", "102"):
        told += [operation("08:00", "08:10", 3, agent_id=agent), operation("08:20", "08:30", 27, agent_id=agent)]
    once = history(bench, [*told, asked("08:00", "09:00"), asked("08:00", "09:00", "102")])
    assert ("102", "08:10", "08:20", "2", True) in once
    assert history(bench, [*told, asked("08:00", "09:00", None)]) == once
