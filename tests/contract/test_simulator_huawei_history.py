"""Operation records of the simulated CC-CMS, and CC-FS's exports of them, over real sockets."""

from __future__ import annotations

import csv
import http.server
import io
import json
import queue
import threading
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.facts import MINUTE, Participation, millis, moment_of
from simulator.faults import Faults
from simulator.huawei import HuaweiServer
from simulator.huawei_history import COLUMNS
from simulator.huawei_states import HuaweiDialect, StateBook
from tests.contract.served_huawei import MIDNIGHT, NOON, TOTAL, Rows, cms, past, signed


def instant(text: str) -> datetime:
    """Return a record's time."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "minutes", "good"),
    [
        (NOON - timedelta(hours=1), 15, True),
        (NOON - timedelta(hours=24), 24 * 60, True),
        (NOON - timedelta(hours=1, minutes=7), 45, True),
        (NOON - timedelta(hours=1), 20, False),
        (NOON - timedelta(hours=1), 0, False),
        (NOON - timedelta(hours=1), -15, False),
        (NOON - timedelta(hours=24), 24 * 60 + 15, False),
    ],
)
def test_windows_are_quarters_of_a_day_at_most(
    aicc: HuaweiServer, begin: datetime, minutes: int, *, good: bool
) -> None:
    """If this failed, windows that the vendor refuses would work here."""
    times = {"beginTime": f"{begin:%Y-%m-%d %H:%M:%S}", "endTime": f"{begin + timedelta(minutes=minutes):%F %T}"}
    answer = cms(aicc, "agent/agentoprinfo", currentAgentId=101, **times)
    assert (answer["resultCode"] == "0100000") == good


def whole_day(aicc: HuaweiServer) -> dict[str, Rows]:
    """Return everybody's records of the second day, asked for at its end."""
    aicc.clock.set(MIDNIGHT + timedelta(days=1))
    return {number: past(aicc, number, MIDNIGHT, MIDNIGHT + timedelta(days=1)) for number in aicc.agent_ids.values()}


def test_records_tell_who_talked_when(aicc: HuaweiServer) -> None:
    """If this failed, interim records could not be merged into the talks that took place."""
    day = whole_day(aicc)
    seen = interim = 0
    for part in parts_within(aicc):
        number = aicc.agent_ids[part.agent.agent_id]
        talk = [
            row for row in day[number] if row["opType"] == 4 and row["callId"] == aicc.call_ids[part.interaction_id]
        ]
        talk = [
            row for row in talk if part.joined // 1000 * 1000 <= millis(instant(row["beginTime"])) < (part.left or 0)
        ]
        assert instant(talk[0]["beginTime"]) == moment_of(part.joined // 1000 * 1000)
        assert instant(talk[-1]["endTime"]) == moment_of((part.left or 0) // 1000 * 1000)
        assert [row["opCause"] for row in talk] == [1] * (len(talk) - 1) + [0]
        assert all(row["endTime"][-4:] in {"0:00", "5:00"} for row in talk[:-1])
        assert [row["beginTime"] for row in talk[1:]] == [row["endTime"] for row in talk[:-1]]
        seen, interim = seen + 1, interim + len(talk) - 1
    assert seen > 200
    assert interim > 100


def parts_within(aicc: HuaweiServer) -> list[Participation]:
    """Return the participations that began and ended on the second day."""
    begin, end = millis(MIDNIGHT), millis(MIDNIGHT + timedelta(days=1))
    return [p for p in aicc.centre.participations if begin <= p.joined and p.left is not None and p.left <= end]


def test_interim_records_can_all_begin_with_the_talk(aicc: HuaweiServer) -> None:
    """If this failed, the other reading of the vendor's text could not be simulated."""
    aicc.set_dialect(HuaweiDialect(interim_from="start"))
    talks: dict[tuple[str, str], set[str]] = {}
    for number, found in whole_day(aicc).items():
        for row in found:
            if row["opType"] == 4:
                talks.setdefault((number, row["callId"]), set()).add(row["beginTime"])
    assert max(len(begins) for begins in talks.values()) <= 2


def test_records_tell_who_was_away_and_why(aicc: HuaweiServer) -> None:
    """If this failed, the archive could not fill what sampling missed."""
    day = whole_day(aicc)
    causes = set(aicc.reason_causes.values())
    kinds: Counter[int] = Counter()
    for number, found in day.items():
        agent = aicc.centre.agents[int(number) - 101]
        book = StateBook(aicc.centre, (agent,), aicc.dialect).stretches(agent)
        true = {(s.at // 1000, {3: 3, 8: 26, 5: 27}[s.state], s.cause) for s in book if s.state in {3, 5, 8}}
        told = {
            (millis(instant(row["beginTime"])) // 1000, row["opType"], row["opCause"])
            for row in found
            if row["opType"] in {3, 26, 27}
        }
        assert told <= true
        assert {cause for _, kind, cause in told if kind == 26} <= causes
        kinds.update(row["opType"] for row in found)
    assert {0, 1, 3, 4, 26, 27} <= set(kinds)
    assert 2 not in kinds


def test_idle_records_can_be_written(aicc: HuaweiServer) -> None:
    """If this failed, the other of two documents could not be simulated."""
    aicc.set_dialect(HuaweiDialect(idle_rows=True))
    assert any(row["opType"] == 2 for found in whole_day(aicc).values() for row in found)


def test_transfers_are_records_and_internal_ones_name_their_receiver(aicc: HuaweiServer) -> None:
    """If this failed, transfers could not be counted from the archive."""
    day = whole_day(aicc)
    begin, end = millis(MIDNIGHT), millis(MIDNIGHT + timedelta(days=1))
    true = [
        (aicc.agent_ids[t.sender.agent_id], aicc.call_ids[t.interaction_id], aicc.agent_ids.get(t.receiver_id))
        for t in aicc.centre.transfers
        if begin <= t.started and t.completed is not None and t.completed <= end
    ]
    told = [
        (number, row["callId"], row["opObject"], row["opType"])
        for number, found in day.items()
        for row in found
        if row["opType"] in {45, 46, 54}
    ]
    assert Counter(one[:2] for one in told) == Counter(one[:2] for one in true)
    assert {one[:3] for one in told if one[3] == 45} < set(true)
    assert {one[:2] for one in told if one[3] == 46} == {one[:2] for one in true if one[2] is None}
    assert {one[2] for one in told if one[3] != 45} == {65535}
    assert {one[3] for one in told} == {45, 46, 54}


def test_rows_have_the_columns_of_the_export(aicc: HuaweiServer) -> None:
    """If this failed, attributes could not be found in either case."""
    camel = next(row for found in whole_day(aicc).values() for row in found)
    assert len(camel) == 21
    assert {"beginTime", "opType", "callInOut", "skillInfoSn", "logonSn"} < set(camel)
    aicc.set_dialect(HuaweiDialect(row_names="lower"))
    lower = next(row for found in whole_day(aicc).values() for row in found)
    assert lower == {name.lower(): value for name, value in camel.items()}


def test_what_an_operand_is_absent_is_65535(aicc: HuaweiServer) -> None:
    """If this failed, the stand-in for no operand would never be met."""
    found = [row for rows_ in whole_day(aicc).values() for row in rows_]
    assert {row["opObject"] for row in found if row["opType"] in {1, 3, 4}} == {65535}
    assert {row["opCause"] for row in found if row["opType"] == 1} == {65535}


def test_records_are_written_at_their_end_and_kept_for_a_day(aicc: HuaweiServer) -> None:
    """If this failed, records that come late, and records that are lost, would go untested."""
    number, found = max(whole_day(aicc).items(), key=lambda item: len(item[1]))
    row = next(row for row in found if row["opType"] == 26)
    begin, end = instant(row["beginTime"]), instant(row["endTime"])
    quarter = begin - timedelta(minutes=7)
    for now, there in (
        (end - timedelta(seconds=1), False),
        (end + timedelta(seconds=1), True),
        (end + timedelta(hours=23, minutes=59), True),
        (end + timedelta(hours=24, seconds=1), False),
    ):
        aicc.clock.set(now)
        assert (row in past(aicc, number, quarter, quarter + timedelta(minutes=15))) == there
    aicc.set_dialect(HuaweiDialect(retention="error"))
    times = {"beginTime": f"{quarter:%F %T}", "endTime": f"{quarter + timedelta(minutes=15):%F %T}"}
    assert cms(aicc, "agent/agentoprinfo", currentAgentId=int(number), **times)["resultCode"] != "0100000"


def test_windows_make_the_whole_by_either_time(aicc: HuaweiServer) -> None:
    """If this failed, records would be lost or repeated between windows with nothing wrong."""
    for by in ("begin", "end"):
        aicc.set_dialect(HuaweiDialect(history_by="begin" if by == "begin" else "end"))
        number, whole = max(whole_day(aicc).items(), key=lambda item: len(item[1]))
        hours = [MIDNIGHT + timedelta(hours=hour) for hour in range(24)]
        pieces = [row for hour in hours for row in past(aicc, number, hour, hour + timedelta(hours=1))]
        assert sorted(row["id"] for row in pieces) == sorted(row["id"] for row in whole)
        assert len({row["id"] for row in pieces}) == len(pieces)


def test_one_operation_type_can_be_asked_for(aicc: HuaweiServer) -> None:
    """If this failed, a client that asks for transfers alone would get everything."""
    number, found = max(whole_day(aicc).items(), key=lambda item: len(item[1]))
    talks = past(aicc, number, MIDNIGHT, MIDNIGHT + timedelta(days=1), operateType=4)
    assert talks == [row for row in found if row["opType"] == 4]


def test_a_dropped_stretch_is_missing_or_fails(aicc: HuaweiServer) -> None:
    """If this failed, gaps of the archive would go untested."""
    number, found = max(whole_day(aicc).items(), key=lambda item: len(item[1]))
    until = instant(found[len(found) // 2]["beginTime"])
    aicc.set_faults(Faults(dropped=((MIDNIGHT, until),)))
    left = past(aicc, number, MIDNIGHT, MIDNIGHT + timedelta(days=1))
    assert left == [row for row in found if instant(row["beginTime"]) >= until]
    now = aicc.clock.now()
    aicc.set_faults(Faults(dropped=((now, now + timedelta(minutes=1)),), dropped_mode="error"))
    assert signed(aicc, TOTAL, {"ccId": 1, "vdn": 1}).status_code == 500


# -- CC-FS ----------------------------------------------------------------------------------


def test_an_export_is_announced_and_fetched(aicc: HuaweiServer) -> None:
    """If this failed, the asynchronous way to everybody's records would not work."""
    day = whole_day(aicc)
    heard: queue.Queue[dict[str, Any]] = queue.Queue()

    class Ear(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Ear) as ear:
        threading.Thread(target=ear.handle_request, daemon=True).start()
        wish = {
            "beginTime": f"{MIDNIGHT:%F %T}",
            "endTime": f"{MIDNIGHT + timedelta(days=1):%F %T}",
            "callBackURL": f"http://127.0.0.1:{ear.server_port}/ready",
        }
        assert signed(aicc, "/CCFS/resource/ccfs/queryAgentOprInfoData", wish).json()["resultCode"] == "0"
        name = heard.get(timeout=10)["fileName"]
    got = signed(aicc, "/CCFS/resource/ccfs/downloadAgentOprInfoFile", {"fileName": name})
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        (member,) = archive.namelist()
        table = list(csv.reader(io.TextIOWrapper(archive.open(member), "utf-8")))
    assert member == name.replace(".zip", ".csv")
    assert member.startswith("20260304000000000")
    assert tuple(table[0]) == COLUMNS
    assert [row[0] for row in table[1:]] == [row["id"] for found in day.values() for row in found]
    assert {row[11] for row in table[1:] if row[9] == "1"} == {"-1"}


@pytest.mark.parametrize(
    "change",
    [
        {"callBackURL": "http://example.com:80/x"},
        {"callBackURL": "nowhere"},
        {"endTime": "2026-03-02 00:00:00"},
        {"beginTime": 3},
    ],
)
def test_a_bad_export_is_refused(aicc: HuaweiServer, change: dict[str, object]) -> None:
    """If this failed, the simulator would call strangers, or be silent about a mistake."""
    wish = {
        "beginTime": "2026-03-03 00:00:00",
        "endTime": "2026-03-03 01:00:00",
        "callBackURL": "http://127.0.0.1:9/x",
    }
    path = "/CCFS/resource/ccfs/queryAgentOprInfoData"
    assert signed(aicc, path, wish | change).status_code == 400
    assert signed(aicc, path, wish, secret="other").status_code == 401
    assert signed(aicc, path.replace("query", "download").replace("Data", "File"), {"fileName": "x"}).status_code == 404


def test_five_minute_marks_are_the_clocks(aicc: HuaweiServer) -> None:
    """If this failed, interim records would be written every five minutes of a talk instead of the clock."""
    part = next(p for p in parts_within(aicc) if (p.left or 0) // (5 * MINUTE) - p.joined // (5 * MINUTE) == 2)
    number = aicc.agent_ids[part.agent.agent_id]
    mark = moment_of((part.joined // (5 * MINUTE) + 1) * 5 * MINUTE)
    hour = mark.replace(minute=0) - timedelta(hours=1)
    call_id = aicc.call_ids[part.interaction_id]
    for seconds, written in ((-1, 0), (0, 1)):
        aicc.clock.set(mark + timedelta(seconds=seconds))
        found = past(aicc, number, hour, hour + timedelta(hours=2), operateType=4)
        assert sum(row["callId"] == call_id for row in found) == written
