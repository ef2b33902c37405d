"""Onlookers: they read the lake while others write it, and note whatever they should never see."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

AGREE = """
with timeline as (
    select date, source, agent_id, sum(epoch_us(ended_at) - epoch_us(started_at))::bigint as us
    from marts.fct_agent_timeline group by all
), quarters as (
    select date, source, agent_id, sum(round((observed_seconds + unobserved_seconds) * 1e6)::bigint)::bigint as us
    from marts.fct_agent_intervals group by all
), days as (
    select date, source, agent_id, round((observed_seconds + unobserved_seconds) * 1e6)::bigint as us
    from marts.agg_agent_days
)
select 'seconds', date, agent_id, t.us, q.us, d.us
from timeline as t
full join quarters as q using (date, source, agent_id)
full join days as d using (date, source, agent_id)
where t.us is distinct from q.us or t.us is distinct from d.us
union all
select 'twice', date, agent_id, count(*), null, null
from marts.fct_agent_timeline group by date, source, agent_id, started_at having count(*) > 1
"""

NAMED = """
select 'sessions', date, agent_id from marts.fct_agent_timeline as t
where session_id is not null
    and not exists (
        select 1 from marts.fct_agent_sessions as s where s.session_id = t.session_id and s.source = t.source
    )
union all
select 'agents', date, agent_id from marts.fct_agent_timeline as t
where state <> 'unobserved'
    and not exists (select 1 from marts.dim_agents as a where a.agent_id = t.agent_id and a.source = t.source)
"""


@dataclass
class Seen:
    """What onlookers saw: how often they looked, and everything that was wrong."""

    looks: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def onlookers(*looks: Callable[[], str | None]) -> Iterator[list[Seen]]:
    """Run each look over and over in a thread of its own while the block runs; a look returns what was wrong."""
    done = threading.Event()
    seen = [Seen() for _ in looks]

    def watch(look: Callable[[], str | None], note: Seen) -> None:
        while not done.is_set():
            try:
                wrong = look()
            except (duckdb.Error, pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
                wrong = repr(error)
            note.looks += 1
            if wrong:
                note.wrong.append(wrong[:500])
            done.wait(0.3)

    threads = [threading.Thread(target=watch, args=pair) for pair in zip(looks, seen, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


def visible_files(lake: Path) -> Callable[[], str | None]:
    """Opens every Parquet file that a glob finds; a half one cannot be opened."""

    def look() -> str | None:
        for path in lake.glob("[!.]*/**/*.parquet"):
            pq.read_metadata(path)
        return None

    return look


def new_connection(path: Path) -> Callable[[], str | None]:
    """Opens the warehouse anew, once it is there, and asks whether its tables agree."""

    def look() -> str | None:
        if not path.exists():
            return None
        with duckdb.connect(str(path), read_only=True) as connection:
            return agreeing(connection)

    return look


def agreeing(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The first way in which the tables of one connection do not agree, if any."""
    rows = connection.execute(AGREE).fetchmany(1) or connection.execute(NAMED).fetchmany(1)
    return str(rows[0]) if rows else None
