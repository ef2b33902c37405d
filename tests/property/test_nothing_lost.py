"""The checks that nothing is lost between a reply and its rows have nothing to say, whatever a vendor sends."""

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.models import read_checks
from orchestration.settings import sql_dir
from tests.models.workbench import DAY, Workbench, at
from tests.property import test_beyondtrust_staging as beyondtrust
from tests.property import test_kore_staging as kore
from tests.property import test_staging as cxengage


def session(events: int) -> str:
    """A session of a report, and a chat about one."""
    chat = "<chat><![CDATA[<session><event />\n]]><!-- <event /> --></chat>"
    return f"<session>{chat}<session_details>{'<event />' * events}</session_details></session>"


def team(members: int) -> str:
    """A team and who is in it."""
    return f"<support_team><name>A</name><members>{'<representative />' * members}</members></support_team>"


def dated(message: Any) -> Any:
    """The same as an event whose time can be read, where it can have one."""
    return message | {"timestamp": 1762156800} if isinstance(message, dict) else message


REPORT = "POST /api/reporting generate_report=Archive&type=event&date=2026-11-03&index=1"
found = st.lists(cxengage.values, max_size=4)
code = st.sampled_from(["0100000", "0", "99", None])
gateway = st.fixed_dictionaries({"resultCode": code}, optional={"resultDesc": found | cxengage.values})
SENT: dict[str, st.SearchStrategy[bytes]] = {
    "cxengage_agent_states": st.fixed_dictionaries({"results": cxengage.replies | cxengage.values}).map(
        lambda reply: json.dumps(reply).encode()
    ),
    "cxengage_agent_intervals": st.fixed_dictionaries({"results": cxengage.replies | cxengage.values}).map(
        lambda reply: json.dumps(reply).encode()
    ),
    "kore_agent_activity": kore.envelopes.map(lambda reply: json.dumps(reply).encode()),
    "huawei_agent_status": gateway.map(lambda reply: json.dumps(reply).encode()),
    "huawei_cms_status": gateway.map(lambda reply: json.dumps(reply).encode()),
    "huawei_cms_history": gateway.map(lambda reply: json.dumps(reply).encode()),
    "beyondtrust_state": beyondtrust.messages.map(lambda message: json.dumps(message).encode()),
    "beyondtrust_archive": st.lists(beyondtrust.messages | beyondtrust.messages.map(dated), max_size=3).map(
        lambda lines: gzip.compress("\n".join(map(json.dumps, lines)).encode())
    ),
    "beyondtrust_command": st.lists(st.integers(0, 3), max_size=3).map(
        lambda members: f"<support_teams>{''.join(map(team, members))}</support_teams>".encode()
    ),
    "beyondtrust_sessions": st.lists(st.integers(0, 3), max_size=3).map(
        lambda events: f"<session_list>{''.join(map(session, events))}</session_list>".encode()
    ),
}


def complaints(bench: Workbench, feed: str, payloads: Sequence[bytes]) -> list[Mapping[str, Any]]:
    """What the feed's check says after these replies were staged."""
    pages = [
        {"source": "x", "segment": f"seg{n % 2}", "sequence": n, "payload": payload, "payload_sha256": str(n),
         "window_start": at("08:00"), "window_end": at("09:00"), "requested_at": at("09:00"), "status": 200,
         "received_at": at("09:00"), "request": REPORT, "content_type": "application/json"}
        for n, payload in enumerate(payloads)
    ]  # fmt: skip
    table = f"staging.stg_{feed.replace('_', '__', 1)}"
    bench.give(table, bench.run(table, DAY, **{feed: pages}))
    checks = read_checks(sql_dir(), bench.models.values())[table]
    return [row for check in checks if f"raw.{feed}" in check.tables for row in bench.query(check.sql)]


@pytest.mark.parametrize("feed", SENT)
@settings(max_examples=8)
@given(data=st.data())
def test_a_sound_staging_gives_no_cause_for_complaint(bench: Workbench, feed: str, data: st.DataObject) -> None:
    """If this fails, staging loses a record, or a check cries wolf over something odd that a vendor sent."""
    payloads = data.draw(st.lists(SENT[feed] | st.binary(max_size=20), min_size=1, max_size=4))
    assert complaints(bench, feed, payloads) == []
