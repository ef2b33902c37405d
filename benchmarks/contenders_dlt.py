"""Pages of JSON to Parquet with dlt: fed with records as in its tutorials, and with Arrow tables."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import dlt
import orjson
import pyarrow as pa

from benchmarks.contenders_json import SCHEMA, with_times
from benchmarks.data import RECORDS_A_PAGE

PAGES = 40


def records(data: Path, out: Path) -> None:
    """A resource that yields records; dlt unfolds the lists into tables of their own."""

    @dlt.resource(name="events")
    def events() -> Iterator[Any]:
        for path in _pages(data):
            yield orjson.loads(path.read_bytes())["results"]

    _load(events, out)


def arrow(data: Path, out: Path) -> None:
    """A resource that yields an Arrow table a page."""

    @dlt.resource(name="events")
    def events() -> Iterator[Any]:
        for path in _pages(data):
            rows = orjson.loads(path.read_bytes())["results"]
            for row in rows:
                with_times(row)
            yield pa.Table.from_pylist(rows, SCHEMA)

    _load(events, out)


def _pages(data: Path) -> list[Path]:
    return list(islice(sorted((data / "pages").iterdir()), PAGES))


def _load(resource: Any, out: Path) -> None:
    destination = dlt.destinations.filesystem(bucket_url=(out / "files").as_uri())
    pipeline = dlt.pipeline("benchmark", pipelines_dir=str(out / "work"), destination=destination, dataset_name="bench")
    pipeline.run(resource, loader_file_format="parquet")
    normalized = pipeline.last_trace.last_normalize_info if pipeline.last_trace else None
    rows = normalized.row_counts["events"] if normalized else 0
    if rows != PAGES * RECORDS_A_PAGE:
        raise RuntimeError(f"dlt loaded {rows} records of {PAGES} pages")
