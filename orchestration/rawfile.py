"""How raw pages are written as Parquet, in row groups that parse fast, and how many segments are parsed at once.

What a page is, and where its file lies, belongs in ``lake.py``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# DuckDB reads a Parquet file one row group a thread: pages of about a megabyte, eight to a group, parse as fast
# as the same pages in files of their own (0.45 s against 0.43 s for 100 MB), one group for all took 1.2 s.
PAGES_PER_ROW_GROUP = 8
_ROW_GROUP_BYTES = 8 << 20
_MOST_PER_ROW_GROUP = 122_880
# Live messages are small and repeat themselves: pages of fewer bytes than this on average are kept with dictionaries.
_SMALL_PAGE = 16 << 10
_REPEATED = ["feed", "segment", "window_start", "window_end", "request", "content_type", "payload", "payload_sha256"]
# Segments parsed by one statement: planning it takes 20 ms, as long as parsing 4,000 records. 1.5 MB are 20 MB of JSON;
# with 8 MB it took 500 MB more. Each statement reads all of a merged file, which may hold a day of 5,760 windows.
_BATCH_SEGMENTS = 500
_BATCH_BYTES = 1_500_000


def write_raw(table: pa.Table, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write raw pages with :func:`raw_options`."""
    schema = table.schema.with_metadata(metadata) if metadata else table.schema
    rows, options = raw_options(table.num_rows, table["payload"].nbytes)
    pq.write_table(table.cast(schema), path, row_group_size=rows, **options)


def raw_options(pages: int, size: int) -> tuple[int, dict[str, Any]]:
    """How to write so many raw pages of so many bytes of payload: pages to a row group, and options for Parquet.

    zstd level 3 without dictionaries: 11:1, at over 300 MB of JSON a second. Small pages go into groups of about 8 MB
    with dictionaries, since what is polled every few seconds mostly says the same again.
    """
    small = pages > PAGES_PER_ROW_GROUP and size < pages * _SMALL_PAGE
    rows = max(PAGES_PER_ROW_GROUP, min(_MOST_PER_ROW_GROUP, _ROW_GROUP_BYTES * pages // max(size, 1)))
    return rows, {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": _REPEATED if small else False,
        "write_statistics": False,
    }


def batches(raw: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Segments, by name and file, in portions for one parsing statement each."""
    batch: dict[str, Path] = {}
    size = 0.0
    sharing = Counter(raw.values())
    for name, path in raw.items():
        weight = path.stat().st_size / sharing[path]
        if batch and (len(batch) == _BATCH_SEGMENTS or size + weight > _BATCH_BYTES):
            yield batch
            batch, size = {}, 0.0
        batch[name] = path
        size += weight
    if batch:
        yield batch
