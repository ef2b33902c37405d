"""How raw pages are written as Parquet: in row groups that parse fast.

What a page is, and where its file lies, belongs in ``lake.py``.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# DuckDB parses a Parquet file one row group a thread and holds all that it came to: 100 MB of pages of about a megabyte
# took 0.50 s and 290 MB of memory in groups of 2 MB, 0.70 s and 370 MB in groups of 8 MB, 1.2 s in one group.
_ROW_GROUP_BYTES = 2 << 20
_SMALL_PAGES_ROW_GROUP_BYTES = 8 << 20
_MOST_PER_ROW_GROUP = 122_880
# Live messages are small and repeat themselves: many pages of fewer bytes on average are kept with dictionaries.
_SMALL_PAGE = 16 << 10
_FEW_PAGES = 8
_REPEATED = ["feed", "segment", "window_start", "window_end", "request", "content_type", "payload", "payload_sha256"]


def write_raw(table: pa.Table, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write raw pages with :func:`raw_options`."""
    schema = table.schema.with_metadata(metadata) if metadata else table.schema
    rows, options = raw_options(table.num_rows, table["payload"].nbytes)
    pq.write_table(table.cast(schema), path, row_group_size=rows, **options)


def payloads(pages: Sequence[bytes]) -> pa.ChunkedArray:
    """Replies as a column: large ones over the bytes that are there, since 8 windows in flight are 80 MB to copy."""
    if sum(map(len, pages)) < len(pages) * _SMALL_PAGE:
        return pa.chunked_array([pa.array(pages, pa.binary())])
    return pa.chunked_array([_alone(page) for page in pages], pa.binary())


def _alone(page: bytes) -> pa.Array:
    offsets = struct.pack("=ii", 0, len(page))
    return pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(page)])


def raw_options(pages: int, size: int) -> tuple[int, dict[str, Any]]:
    """How to write so many raw pages of so many bytes of payload: pages to a row group, and options for Parquet.

    zstd level 3 without dictionaries: 11:1, at over 300 MB of JSON a second. Small pages go into larger groups with
    dictionaries, since what is polled every few seconds mostly says the same again.
    """
    small = pages > _FEW_PAGES and size < pages * _SMALL_PAGE
    group = _SMALL_PAGES_ROW_GROUP_BYTES if small else _ROW_GROUP_BYTES
    return max(1, min(_MOST_PER_ROW_GROUP, group * pages // max(size, 1))), {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": _REPEATED if small else False,
        "write_statistics": False,
    }
