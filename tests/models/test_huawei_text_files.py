"""Files of CC-FS that hold talks of text chat alone, beside polls of CC-CMS: figures against what really happened.

The simulator's answers go through staging to records; what each table does belongs in the tests of that table.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from assets.huawei.cms import STATUS, encode
from assets.huawei.signing import signed_headers
from orchestration.inputs import midnight
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import millis, moment_of
from simulator.faults import Faults
from simulator.huawei import HuaweiApi
from simulator.huawei_cms import HuaweiAccount
from simulator.huawei_gateway import work_number
from simulator.huawei_states import TALKING, HuaweiDialect
from simulator.wire import Request
from tests.models.huawei import STEP, records
from tests.models.workbench import DAY, Rows, Workbench, at

FROM, UNTIL = at("15:00"), at("16:00")
Talks = dict[str, list[tuple[datetime, datetime]]]


class Vendor:
    """A centre of five as Huawei tells of it; no sockets."""

    def __init__(self, dialect: HuaweiDialect) -> None:
        centre = Centre.simulate(5, 5, DAY, 1)
        self.people = {work_number(agent): agent for agent in centre.agents}
        self.account = HuaweiAccount.of(centre.seed)
        self.clock = SimClock(FROM)
        self.api = HuaweiApi(centre, self.clock, self.account, self.people, faults=Faults(), dialect=dialect)

    def polls(self) -> list[dict[str, Any]]:
        """Answers of CC-CMS about all five, every five seconds."""
        body = encode(ccId=self.account.cc_id, vdn=self.account.vdn, agentIds=sorted(self.people))
        found: list[dict[str, Any]] = []
        moment = FROM
        while moment < UNTIL:
            self.clock.set(moment)
            keys = (self.account.access_key, self.account.secret_key)
            headers = signed_headers(*keys, "POST", f"https://hw{STATUS}", body, moment)
            named = {name.lower(): value for name, value in headers.items()}
            answer = self.api.answer(Request("POST", STATUS, "", named, body))
            found.append(page(len(found), moment, answer.body, FROM, UNTIL))
            moment += timedelta(seconds=STEP)
        return found

    def file(self) -> dict[str, Any]:
        """The day's operations of all five, as they are exported on the next day."""
        start, end = midnight(DAY), midnight(DAY) + timedelta(days=1)
        asked = end + timedelta(hours=2)
        text = self.api.reading.history.table(millis(start), millis(end), millis(asked))
        return page(0, asked, text, start, end) | {"content_type": "text/csv", "request": "FILE a.csv"}

    def talks(self) -> Talks:
        """When each was truly on a call."""
        book, found = self.api.reading.book, {}
        for number, agent in self.people.items():
            states = book.stretches(agent)
            ends = [moment_of(state.at) for state in states[1:]] + [UNTIL]
            spans = zip(states, ends, strict=True)
            found[str(number)] = [(moment_of(state.at), end) for state, end in spans if state.state == TALKING]
        return found


def page(sequence: int, moment: datetime, payload: bytes, start: datetime, end: datetime) -> dict[str, Any]:
    """A reply as it is kept."""
    times = {"requested_at": moment, "received_at": moment, "window_start": start, "window_end": end}
    told = {"source": "hw", "segment": "seg", "sequence": sequence, "status": 200, "payload_sha256": "p"}
    return {**told, **times, "payload": payload, "request": f"POST {STATUS}"}


def talked(bench: Workbench, rows: Rows) -> Talks:
    """When each was on a call, as records have it."""
    states = {(row["feed"], row["vendor_state"]): row["state"] for row in bench.state_map if row["vendor"] == "huawei"}
    found: Talks = {}
    for row in rows:
        if states.get((row["feed"], row["vendor_state"])) == "handling":
            found.setdefault(row["agent_id"], []).append((row["started_at"], row["ended_at"] or UNTIL))
    return found


def seconds(spans: list[tuple[datetime, datetime]]) -> float:
    """How much of the polled hour they are."""
    return sum((min(end, UNTIL) - max(start, FROM) for start, end in polled(spans)), timedelta(0)).total_seconds()


def polled(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Those of the polled hour."""
    return [(start, end) for start, end in spans if start < UNTIL and end > FROM]


@pytest.mark.parametrize("talks", ["text", "all"])
def test_calls_count_though_files_hold_talks_of_text_chat_alone(bench: Workbench, talks: Any) -> None:
    """If this fails, the hours on the telephone are hours of waiting wherever such files are landed beside polls."""
    vendor = Vendor(HuaweiDialect(files_talks=talks))
    present = bench.run("staging.stg_huawei__cms_status", DAY, huawei_cms_status=vendor.polls())
    past = bench.run("staging.stg_huawei__cms_history", DAY, huawei_cms_history=[vendor.file()])
    true = vendor.talks()
    ours = talked(bench, records(bench, present=present, past=past))
    by_file = talked(bench, records(bench, past=past))
    assert sum(map(seconds, true.values())) > 3600
    for agent, spans in true.items():
        # Each talk has two boundaries, known to a second.
        assert abs(seconds(ours.get(agent, [])) - seconds(spans)) <= 2 * len(polled(spans)), agent
    missing = sum(map(seconds, true.values())) - sum(map(seconds, by_file.values()))
    assert (missing > 1800) == (talks == "text")
