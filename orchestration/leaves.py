"""A person's traces outside the lake: exported reports, logs, and what Dagster noted of checks and runs.

Knows files of people and of Dagster. The lake itself is for ``forget.py``.
"""

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from html import escape
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from assets.erasure import FORGOTTEN

_SHORT = 6


class Leaves:
    """One person's.

    Args:
        home: Where everything is kept.
        agent_id: Their id. A short or merely numeric one is looked for in exports as a whole cell, and nowhere else:
            as a part of a text it is mostly something else.
        names: Names that nobody else bears.
        pseudonyms: What stands for them in exports that hide people.
    """

    def __init__(self, home: Path, agent_id: str, names: Collection[str], pseudonyms: Collection[str] = ()) -> None:
        self.home = home
        self._pseudonyms = sorted(pseudonyms)
        told = len(agent_id) >= _SHORT and not agent_id.isdigit()
        self._texts = sorted({*names, *([agent_id] if told else [])}, key=len, reverse=True)
        cells = [] if told else [f",{agent_id},", f"\n{agent_id},", f">{agent_id}<", f'"{agent_id}"']
        self._cells = {agent_id, *names}
        searched = [*self._texts, *self._pseudonyms, *cells]
        self._needles = {form.encode() for text in searched for form in _forms(text)}

    def exports(self) -> list[Path]:
        """Folders of reports, ``exports/<report>/<day>``, in which they are."""
        folders = sorted(path for path in (self.home / "exports").glob("*/*") if path.is_dir())
        return [folder for folder in folders if any(map(self._holds, _files(folder)))]

    def remove_exports(self) -> int:
        """Remove those folders whole, each at once; the reports can be issued anew. And those of reports without days.

        A report of one agent is such a folder.
        """
        found = self.exports()
        for folder in found:
            gone = folder.with_name(f".{folder.name}.gone")
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
            shutil.rmtree(gone)
            with suppress(OSError):  # other days
                folder.parent.rmdir()
        return len(found)

    def texts(self) -> list[Path]:
        """Logs, databases of Dagster and unreadable rests of the spool in which they are."""
        needles = {form.encode() for text in self._texts for form in _forms(text)}
        folders = (self.home / "dagster", self.home / "logs")
        files = [path for folder in folders for path in _files(folder)]
        files += (self.home / "spool").rglob("*.torn")
        return [path for path in sorted(files) if any(needle in path.read_bytes() for needle in needles)]

    def clean_texts(self) -> int:
        """Write ``forgotten`` for them in texts and databases; unreadable rests are removed."""
        found = self.texts()
        for path in found:
            if path.suffix == ".torn":
                path.unlink()
            elif path.read_bytes().startswith(b"SQLite format 3") or path.name.endswith(("-wal", "-shm")):
                self._clean_database(path)
            else:
                data = path.read_bytes()
                for text in self._texts:
                    for form in _forms(text):
                        data = data.replace(form.encode(), FORGOTTEN.encode())
                path.write_bytes(data)
        return len(found)

    def _clean_database(self, path: Path) -> None:
        base = path.with_name(path.name.removesuffix("-wal").removesuffix("-shm"))
        with closing(sqlite3.connect(base, timeout=60, isolation_level=None)) as connection:
            connection.execute("pragma secure_delete = on")
            tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
            for [table] in tables:
                for _, column, *_ in connection.execute(f'pragma table_info("{table}")').fetchall():
                    for form in (form for text in self._texts for form in _forms(text)):
                        connection.execute(
                            f'update "{table}" set "{column}" = replace("{column}", ?, ?) where instr("{column}", ?)',
                            [form, FORGOTTEN, form],
                        )
            connection.execute("pragma wal_checkpoint(truncate)")
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")

    def _holds(self, path: Path) -> bool:
        if path.suffix == ".parquet":
            return any(self._in_column(column) for column in pq.ParquetFile(path).read().columns)
        if path.suffix == ".xlsx" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as book:
                return any(needle in book.read(name) for name in book.namelist() for needle in self._needles)
        data = path.read_bytes()
        return any(needle in data for needle in self._needles)

    def _in_column(self, column: pa.ChunkedArray) -> bool:
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            return False
        whole = pc.any(pc.is_in(column, value_set=pa.array(sorted(self._cells), column.type))).as_py()
        return bool(whole) or any(
            pc.any(pc.match_substring(column, text)).as_py() for text in [*self._texts, *self._pseudonyms]
        )


def _forms(text: str) -> set[str]:
    """A text as it may be written: as it is, in JSON, once more within JSON, in HTML."""
    inner = json.dumps(text)[1:-1]
    return {text, inner, json.dumps(inner)[1:-1], escape(text)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
