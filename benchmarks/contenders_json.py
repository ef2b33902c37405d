"""Pages of JSON to typed Parquet without DuckDB or dlt: orjson with columns filled by hand, and with rows."""

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

_IDS = ("eventId", "nextEventId", "sessionId", "agentId", "agentName", "platformAgentId", "tenantAgentId")
_WORDS = ("eventType", "presence", "state", "allocation", "direction")
_REASON = ("reasonId", "reasonName", "reasonListId", "reasonListName")
_CHANNELS = pa.struct([(name, pa.int64()) for name in ("voice", "email", "messaging", "sms", "workItem")])
_TIME = pa.timestamp("us", tz="UTC")
CAPACITY = pa.list_(
    pa.struct(
        [("channels", _CHANNELS), ("allocation", pa.string()), ("load", pa.float64()), ("capacity", pa.int64())],
    )
)
TRANSFERS = pa.list_(
    pa.struct(
        [
            ("interactionId", pa.string()),
            ("toAgentId", pa.string()),
            ("transferStartTimestamp", _TIME),
            ("transferEndTimestamp", _TIME),
        ],
    )
)
_NUMBERS = ("platformAgentId", "tenantAgentId")
SCHEMA = pa.schema(
    [(name, pa.int64() if name in _NUMBERS else pa.string()) for name in (*_IDS, *_WORDS, *_REASON)]
    + [(name, _TIME) for name in ("start", "end", "loginTimestamp")]
    + [("durationSeconds", pa.float64()), ("capacity", CAPACITY), ("transfers", TRANSFERS)]
)


def by_columns(data: Path, out: Path) -> None:
    """Columns filled by hand, a row group a page."""
    with pq.ParquetWriter(out / "events.parquet", SCHEMA, compression="zstd") as writer:
        for path in sorted((data / "pages").iterdir()):
            rows = orjson.loads(path.read_bytes())["results"]
            writer.write_table(pa.table([_column(rows, field) for field in SCHEMA], schema=SCHEMA))


def by_rows(data: Path, out: Path) -> None:
    """The typical form: all rows in one list, handed to pyarrow."""
    rows = [row for path in sorted((data / "pages").iterdir()) for row in orjson.loads(path.read_bytes())["results"]]
    for row in rows:
        with_times(row)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), out / "events.parquet", compression="zstd")


def _column(rows: list[dict[str, Any]], field: pa.Field) -> pa.Array:
    values = [row.get(field.name) for row in rows]
    if field.type == _TIME:
        return pa.array([v and v[:-1] for v in values], pa.string()).cast(pa.timestamp("us")).cast(_TIME)
    if field.name == "transfers":
        values = [[_transfer(item) for item in items] if items else [] for items in values]
    return pa.array(values, field.type)


def with_times(row: dict[str, Any]) -> None:
    """Turn a record's texts of times into times."""
    for name in ("start", "end", "loginTimestamp"):
        row[name] = _time(row.get(name))
    row["transfers"] = [_transfer(item) for item in row.get("transfers") or ()]


def _transfer(item: dict[str, Any]) -> dict[str, Any]:
    names = ("transferStartTimestamp", "transferEndTimestamp")
    return {**item, **{name: _time(item.get(name)) for name in names}}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
