"""The files in which attempts are logged: many small ones merged, of closed days and of the running one, and renamings.

A merged file names those that it holds, which are passed over from then on (``lake.logs_in``); so nothing is rebuilt.
What attempts are, and how they are read, belongs in ``lake.py``.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.files import concatenate, is_readable, sync
from orchestration.lake import ATTEMPT_SCHEMA, Lake, logs_in

MANY = 30
"""Fewer files of a running day are left apart: each takes a millisecond to read, and merging writes all of the day."""

EVERY_SECONDS = 1200.0
"""How often files of a running day are merged: until then a busy feed logs 80 more."""

GRACE_SECONDS = 3600.0
"""How long files of a running day stay after they were merged, for those who listed them just before."""


def merge_attempts(lake: Lake, vendor: str, feed: str, source: str, day: date) -> bool:
    """Merge a closed day's logged attempts into one file; False when there is nothing to merge."""
    folder = lake.capture_dir(vendor, feed, source) / f"date={day}"
    with lake.lock(f"attempts-{source}-{feed}-{day}"):
        merged = _merge(lake, folder)
        _remove_passed_over(folder, float("inf"))
    return merged


def gather_attempts(lake: Lake, vendor: str, feed: str, source: str, day: date) -> bool:
    """Merge a running day's logged attempts, now and then and when they are many; False when they are not.

    A recorder logs up to four times a minute: late in a day each build and each capture would read 5,000 files a feed.
    """
    folder = lake.capture_dir(vendor, feed, source) / f"date={day}"
    with lake.lock(f"attempts-{source}-{feed}-{day}"):
        newest = max((path.stat().st_mtime for path in folder.glob("*-merged.parquet")), default=0.0)
        if len(set(lake.logs(folder).values())) < MANY or time.time() - newest < EVERY_SECONDS:
            return False
        _remove_passed_over(folder, time.time() - GRACE_SECONDS)
        return _merge(lake, folder)


def void_attempts(lake: Lake, folder: Path, is_gone: Callable[[str], bool], why: str) -> None:
    """Let attempts of a day whose segments are gone count as ``unreadable``: their windows are fetched again."""

    def void(row: dict[str, Any]) -> dict[str, Any]:
        gone = row["status"] == "ok" and row["segment"] and is_gone(row["segment"])
        return {**row, "status": "unreadable", "error": why} if gone else row

    _change(lake, folder, void)


def rename_segments(lake: Lake, folder: Path, names: Mapping[str, str]) -> None:
    """Let a day's attempts name segments by what they are called now.

    By the name of its segment is known until when an open record was seen open.
    """
    _change(lake, folder, lambda row: {**row, "segment": names.get(row["segment"], row["segment"])})


def _change(lake: Lake, folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let a merged file take the place of each that says otherwise; its further name outdates what was made of it."""
    with lake.lock(f"attempts-{folder.parent.name.removeprefix('source=')}-{folder.parts[-3]}-{folder.name[5:]}"):
        held = lake.logs(folder)
        for path in sorted(set(held.values())):
            if not is_readable(path):
                continue
            rows = pq.read_table(path, schema=ATTEMPT_SCHEMA).to_pylist()
            changed = [change(row) for row in rows]
            if changed != rows:
                names = [*(name for name, holder in held.items() if holder == path), f"changed-{uuid.uuid4().hex[:12]}"]
                schema = ATTEMPT_SCHEMA.with_metadata({"logs": json.dumps(sorted(names))})
                table = pa.Table.from_pylist(changed, schema)
                lake.place(folder / f"{uuid.uuid4().hex[:12]}-merged.parquet", partial(pq.write_table, table))


def _merge(lake: Lake, folder: Path) -> bool:
    held = lake.logs(folder)
    paths = sorted(set(held.values()))
    if len(paths) < 2:  # noqa: PLR2004 -- two files are the fewest that can become one
        return False
    for path in paths:
        os.utime(path)  # from now on it is passed over
    # A name of its own: who listed an earlier merged file must not find more in it than it held.
    target = folder / f"{uuid.uuid4().hex[:12]}-merged.parquet"
    metadata = {"logs": json.dumps(sorted(held))}
    lake.place(target, lambda path: concatenate(paths, path, metadata=metadata))
    return True


def _remove_passed_over(folder: Path, before: float) -> None:
    # Listed first, so that none that is logged meanwhile is among them.
    for path in set(folder.glob("*.parquet")) - set(logs_in(folder).values()):
        if path.stat().st_mtime < before:
            path.unlink()
    if folder.is_dir():
        sync(folder)
