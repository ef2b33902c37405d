"""Seeded data: a day of agent states as pages of JSON, in a lake's raw segments and staged by the product itself.

What is generated and how a lake is set up belong here; nothing is timed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

import duckdb

from assets.cxengage import AGENT_STATES
from orchestration.builder import Builder
from orchestration.cache import Cache
from orchestration.constants import LakeConstants
from orchestration.lake import Attempt, Lake, Page, Segment
from orchestration.models import read_models
from orchestration.settings import sql_dir

DAY = date(2026, 11, 2)
EVENING = DAY - timedelta(days=1)
START = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
SOURCE, VENDOR, FEED = "bench", "cxengage", "agent_states"
STAGING = "staging.stg_cxengage__agent_states"
RECORDS = "intermediate.int_agent_records"
DAY_CLOSE = "intermediate.int_agent_day_close"
DAY_OPEN = "intermediate.int_agent_day_open"
TIMELINE = "marts.fct_agent_timeline"
BUCKETS = "intermediate.int_agent_buckets"
INTERVALS = "marts.fct_agent_intervals"
FEED_TABLES = (
    "ops.rejects",
    "ops.capture_log",
    "intermediate.int_feed_windows",
    "intermediate.int_feed_gaps",
    "intermediate.int_open_segments",
    "intermediate.int_observed_until",
)
TENANT = "00000000-0000-0000-0000-000000000001"
RECORDS_A_PAGE = 1_000
WINDOW = timedelta(minutes=10)
_PER_AGENT = 200
_AFTER_CALL_WORK = "vendor,vendor_state,reason,state\ncxengage,not-ready,After Call Work,wrap_up\n"

# One contiguous chain of states per agent: a state a seventh of a voice call long on average, ids of UUIDs version 1
# as the vendor's. 1 % of records come up to 6 hours late, 1 % twice, 1 % first open and later closed. A record that
# runs past midnight ends after it.
_EVENTS = """
create or replace table events as
with ticks as (
    select a, k, {day_us} + ((k + (hash(a, k) % 1000) / 1000.0) * 86400000 / {per_agent})::bigint * 1000 as us
    from range({agents}) as t(a), range({per_agent}) as u(k)
    union all
    select a, {per_agent}, {day_us} + 86400000000 + ((hash(a, 0) % 1000) / 1000.0 * 86400000 / {full})::bigint * 1000
    from range({agents}) as t(a)
),
chained as (
    select *, lead(us) over (partition by a order by k) as end_us,
        (k + 1) % {per_agent} as next_k, hash(a, k, {day_us}) as h
    from ticks
    qualify end_us is not null
),
ids as (
    select *,
        printf('%08x-%04x-1%03x-%04x-%012x', t & 4294967295, (t >> 32) & 65535, (t >> 48) & 4095, 32768 + k, 1000 + a)
            as event_id,
        printf('%08x-%04x-1%03x-%04x-%012x', n & 4294967295, (n >> 32) & 65535, (n >> 48) & 4095, 32768 + next_k,
            1000 + a) as next_id
    from (select *, us * 10 + 122192928000000000 as t, end_us * 10 + 122192928000000000 as n from chained)
),
deliveries as (
    select *, false as is_open,
        us + case when h % 100 = 1 then (h % 21600) * 1000000 when h % 100 = 3 then 900000000 else 0 end as seen_us
    from ids
    union all
    select *, h % 100 = 3, us + case when h % 100 = 2 then 600000000 else 0 end from ids where h % 100 in (2, 3)
)
select *, least((seen_us - {day_us}) // 600000000, 143)::int as win from deliveries
"""

_RECORDS = """
select win, to_json({{
    'eventId': event_id, 'nextEventId': case when not is_open then next_id end,
    'sessionId': printf('99999999-9999-1111-8000-%012x', 1000 + a),
    'agentId': printf('%08x-0000-4000-8000-%012x', a * 7919, a),
    'agentName': 'agent' || a || '@example.com', 'platformAgentId': 100000 + a, 'tenantAgentId': 5000 + a,
    'eventType': case when voice + chats > 0 then 'agent-capacity' when h % 7 < 5 then 'agent-ready'
        else 'agent-not-ready' end,
    'presence': case when voice + chats > 0 or h % 7 < 5 then 'ready' else 'not-ready' end,
    'state': case when voice + chats > 0 or h % 7 < 5 then 'idle' else 'away' end,
    'reasonId': case when reason is not null then printf('%08x-3333-4000-8000-000000000000', h % 5) end,
    'reasonName': reason,
    'reasonListId': case when reason is not null then '11111111-3333-4000-8000-000000000000' end,
    'reasonListName': case when reason is not null then 'Away Reasons' end,
    'start': strftime(make_timestamp(us), '%Y-%m-%dT%H:%M:%S.%gZ'),
    'end': case when not is_open then strftime(make_timestamp(end_us), '%Y-%m-%dT%H:%M:%S.%gZ') end,
    'durationSeconds': case when not is_open then (end_us - us) / 1e6 end,
    'loginTimestamp': '2026-10-31T23:00:00.000Z',
    'allocation': case when voice + chats > 0 then 'allocated' else 'not-allocated' end,
    'direction': case when voice > 0 then 'inbound' end,
    'capacity': case when a % 4 = 0 then [
        {{'channels': {{'voice': voice, 'email': 0, 'messaging': 0, 'sms': 0, 'workItem': 0}},
          'allocation': 'allocated', 'load': voice::double, 'capacity': 1}},
        {{'channels': {{'voice': 0, 'email': chats // 2, 'messaging': chats - chats // 2, 'sms': 0, 'workItem': 0}},
          'allocation': 'not-allocated', 'load': chats / 4.0, 'capacity': 4}}]
      else [{{'channels': {{'voice': voice, 'email': 0, 'messaging': 0, 'sms': 0, 'workItem': 0}},
          'allocation': 'allocated', 'load': voice::double, 'capacity': 1}}] end,
    'transfers': case when voice > 0 and h % 31 = 0 then [{{
        'interactionId': event_id,
        'toAgentId': printf('%08x-0000-4000-8000-%012x', (h % {agents}) * 7919, h % {agents}),
        'transferStartTimestamp': strftime(make_timestamp(us + 1000000), '%Y-%m-%dT%H:%M:%S.%gZ'),
        'transferEndTimestamp': strftime(make_timestamp(us + 5000000), '%Y-%m-%dT%H:%M:%S.%gZ')}}] else [] end
}})::varchar as record
from (
    select *, case when (h >> 8) % 3 = 0 then 1 else 0 end as voice,
        case when a % 4 = 0 then (h >> 16) % 4 else 0 end as chats,
        case when h % 7 = 5 then 'After Call Work' when h % 7 = 6 then 'Lunch' end as reason
    from events
)
where win between {first} and {last}
order by win, seen_us, a, is_open
"""


@dataclass(frozen=True, slots=True)
class Day:
    """One generated day: ``per_agent`` states of each of ``agents`` agents on the UTC ``day``."""

    agents: int
    per_agent: int = _PER_AGENT
    day: date = DAY

    @property
    def start(self) -> datetime:
        """Midnight UTC at which the day begins."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)

    def windows(self, first: int = 0, last: int = 143) -> Iterator[tuple[int, list[bytes]]]:
        """Number of each window and the pages of its replies, a thousand records each but the last."""
        names = {
            "agents": self.agents,
            "per_agent": self.per_agent,
            "full": _PER_AGENT,
            "day_us": int(self.start.timestamp()) * 1_000_000,
        }
        with duckdb.connect() as connection:
            connection.execute(_EVENTS.format(**names))
            for number in range(first, last + 1):
                found = connection.execute(_RECORDS.format(**names, first=number, last=number)).fetchall()
                records = [record for _, record in found]
                yield number, [_page(records, at) for at in range(0, max(len(records), 1), RECORDS_A_PAGE)]


def _page(records: list[str], offset: int) -> bytes:
    head = {"tenantId": TENANT, "limit": RECORDS_A_PAGE, "offset": offset, "page": "0", "total": len(records)}
    body = ", ".join(records[offset : offset + RECORDS_A_PAGE])
    return f'{json.dumps(head)[:-1]}, "results": [{body}]}}'.encode()


def open_builder(root: Path, memory_limit: str = "4GB") -> Builder:
    """The product's builder over a lake below ``root``, made when it is not there."""
    root.mkdir(parents=True, exist_ok=True)
    states = root / "states.csv"
    states.write_text(_AFTER_CALL_WORK)
    feed = {
        "source": SOURCE,
        "vendor": VENDOR,
        "feed": FEED,
        "delay_seconds": AGENT_STATES.delay.total_seconds(),
        "retention_seconds": AGENT_STATES.retention.total_seconds(),
        "window_seconds": AGENT_STATES.window.total_seconds(),
        "state_bearing": AGENT_STATES.state_bearing,
        "uncertainty_seconds": AGENT_STATES.uncertainty.total_seconds(),
        "event_timezone": AGENT_STATES.event_timezone,
        "sample_seconds": None,
        "hold_seconds": None,
        "tolerance_seconds": 1.0,
        "sums_unit_seconds": 1.0,
        "stuck_after_hours": 24.0,
    }
    lake = Lake(root / "lake")
    folder = sql_dir()
    constants = LakeConstants(lake, [feed], [folder / "seeds" / "state_map.csv", states])
    return Builder(lake, read_models(folder, Cache(lake.cache_dir)), constants, memory_limit)


def window(day: date, number: int) -> tuple[datetime, datetime]:
    """Start and end of one of a day's 144 windows, UTC."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + number * WINDOW
    return start, start + WINDOW


def land(lake: Lake, day: date, number: int, pages: list[bytes]) -> None:
    """Land one window as the recorder does, and log the attempt."""
    start, end = window(day, number)
    seen = end + timedelta(minutes=1)
    request = f"GET /v1/tenants/{TENANT}/wfm/rta?window={number}"
    replies = tuple(Page(seen, seen, request, 200, "application/json", page) for page in pages)
    segment = Segment(VENDOR, SOURCE, FEED, start, end, replies)
    lake.land(segment)
    attempt = Attempt(SOURCE, FEED, start, end, seen, "ok", vendor_time=seen, segment=segment.name)
    lake.log(VENDOR, [attempt], AGENT_STATES.delay)


def make_day(root: Path, agents: int, *, captured: bool = True) -> None:
    """A lake with a staged day (unless it is yet to be ``captured``), and the evening before up to its last states."""
    builder = open_builder(root)
    builder.build(builder.models["intermediate.int_source_signals"], None)
    for day in (Day(agents, per_agent=8, day=EVENING), Day(agents))[: 1 + captured]:
        for number, pages in day.windows():
            land(builder.lake, day.day, number, pages)
        for table in (STAGING, *FEED_TABLES):
            builder.build_days(table, [day.day])
    for table in (RECORDS, DAY_CLOSE):
        builder.build_days(table, [EVENING])


def make_pages(folder: Path) -> None:
    """100 pages of 1,000 records: the first ten thousand records of ten windows of a centre of 10,000 agents."""
    for number, pages in Day(10_000).windows(48, 57):
        records = [record for page in pages for record in json.loads(page)["results"]][: 10 * RECORDS_A_PAGE]
        texts = [json.dumps(record, separators=(",", ":")) for record in records]
        write_pages(folder, number, [_page(texts, at) for at in range(0, len(texts), RECORDS_A_PAGE)])


def make_all_pages(folder: Path, agents: int) -> None:
    """All pages of a whole day."""
    for number, pages in Day(agents).windows():
        write_pages(folder, number, pages)


def write_pages(folder: Path, number: int, pages: list[bytes]) -> None:
    """Write a window's pages as files of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, page in enumerate(pages):
        (folder / f"page-{number:03}-{index:02}.json").write_bytes(page)


def read_pages(folder: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Number and pages of each window that was written into a folder."""
    for number, paths in groupby(sorted(folder.iterdir()), lambda path: int(path.name.split("-")[1])):
        yield number, [path.read_bytes() for path in paths]
