"""What is current, and how a new build takes an old one's place."""

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration.builds import Builds, Entry, Manifest, Part, digest, fingerprint
from orchestration.lake import Lake

DAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
TABLE = "marts.fct_things"


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    """The builds of an empty lake."""
    return Builds(Lake(tmp_path))


def keep(builds: Builds, text: str, link: str = "data.parquet", day: date | None = DAY) -> Entry:
    """A finished file with this text, moved into the partition."""
    temporary = builds.lake.root / "finished"
    temporary.write_text(text)
    content = digest(temporary)
    return Entry(builds.keep(temporary, TABLE, day), link, 1, len(text), content)


def put(builds: Builds, *entries: Entry, day: date | None = DAY) -> Manifest:
    """Make these files the current ones."""
    manifest = Manifest(tuple(entries), "inputs", NOON, 0.1)
    builds.put(TABLE, day, manifest)
    return manifest


def shown(builds: Builds, day: date | None = DAY) -> dict[str, str]:
    """What a reader of the plain tree sees."""
    return {path.name: path.read_text() for path in builds.tree(TABLE, day).glob("*.parquet")}


def test_a_manifest_comes_back_as_it_was_put(builds: Builds) -> None:
    """If this fails, what a partition was built from is forgotten, and everything is built again."""
    entry = keep(builds, "rows")
    parts = (Part("seg", "seg@v1", NOON, NOON), Part("empty", "empty@v1"))
    staged = Entry(entry.file, "seg.parquet", 2, 3, "x", parts)
    manifest = Manifest((staged,), "inputs", NOON, 0.25, {"marts.parent": "content"})
    builds.put(TABLE, DAY, manifest)
    assert Builds(builds.lake).manifest(TABLE, DAY) == manifest
    assert (manifest.rows, manifest.bytes) == (2, 3)


def test_what_was_never_built_has_no_manifest_files_or_days(builds: Builds) -> None:
    """If this fails, an empty table cannot be told from one that was never built."""
    assert builds.manifest(TABLE, DAY) is None
    assert builds.paths(TABLE, DAY) == []
    assert builds.days(TABLE) == []


def test_days_are_those_that_were_built(builds: Builds) -> None:
    """A folder alone is no build; if this fails, a crash before the first manifest counts as one."""
    put(builds, keep(builds, "rows", day=date(2026, 11, 4)), day=date(2026, 11, 4))
    put(builds, keep(builds, "rows"))
    keep(builds, "unfinished", day=date(2026, 11, 5))
    assert builds.days(TABLE) == [DAY, date(2026, 11, 4)]


@pytest.mark.parametrize("day", [DAY, None])
def test_the_plain_tree_shows_exactly_the_current_file(builds: Builds, day: date | None) -> None:
    """If this fails, a glob counts rows twice or reads superseded ones."""
    put(builds, keep(builds, "old", day=day), day=day)
    assert shown(builds, day) == {"data.parquet": "old"}
    put(builds, keep(builds, "new", day=day), day=day)
    assert shown(builds, day) == {"data.parquet": "new"}


def test_files_that_are_no_longer_listed_leave_the_tree_and_new_ones_appear(builds: Builds) -> None:
    """If this fails, a merged segment is counted beside the merged file."""
    one, two = keep(builds, "1", "one.parquet"), keep(builds, "2", "two.parquet")
    put(builds, one, two)
    put(builds, two, keep(builds, "3", "three.parquet"))
    assert shown(builds) == {"two.parquet": "2", "three.parquet": "3"}


def test_rows_that_change_files_are_never_in_two_of_them(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a reader that looks while a day is merged counts its rows twice."""
    put(builds, keep(builds, "1", "one.parquet"), keep(builds, "2", "two.parquet"))
    seen: list[dict[str, str]] = []

    merged = keep(builds, "12", "merged.parquet")
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: seen.append(shown(builds)))
    manifest = Manifest((merged,), "inputs", NOON, 0)
    builds.link(TABLE, DAY, manifest)
    assert all(set(found) in ({"one.parquet", "two.parquet"}, {"merged.parquet"}) for found in seen)
    assert shown(builds) == {"merged.parquet": "12"}


def test_the_tree_is_made_of_links_and_superseded_builds_stay(builds: Builds) -> None:
    """If this fails, an analyst's open snapshot loses its files, or the disk holds everything twice."""
    old = keep(builds, "old")
    put(builds, old)
    linked = builds.tree(TABLE, DAY) / "data.parquet"
    assert linked.stat().st_ino == (builds.folder(TABLE, DAY) / old.file).stat().st_ino
    put(builds, keep(builds, "new"))
    assert (builds.folder(TABLE, DAY) / old.file).read_text() == "old"


def test_a_tree_that_was_damaged_is_mended(builds: Builds) -> None:
    """A crash between manifest and link leaves the tree behind; if this fails, it stays so."""
    manifest = put(builds, keep(builds, "rows"))
    (builds.tree(TABLE, DAY) / "data.parquet").unlink()
    (builds.tree(TABLE, DAY) / "stray.parquet").write_text("old")
    builds.link(TABLE, DAY, manifest)
    assert shown(builds) == {"data.parquet": "rows"}


def test_names_of_builds_are_never_used_twice(builds: Builds) -> None:
    """If this fails, a reader's file changes under it."""
    assert len({keep(builds, "rows").file for _ in range(20)}) == 20


def test_a_reader_never_finds_the_tree_empty_or_half(builds: Builds) -> None:
    """If this fails, a query during a rebuild reads nothing, or a mixture."""
    put(builds, keep(builds, "0" * 1000))
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            seen.add((builds.tree(TABLE, DAY) / "data.parquet").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 30):
        put(builds, keep(builds, str(n % 10) * 1000))
    stop.set()
    reader.join()
    assert seen
    assert all(len(text) == 1000 and len(set(text)) == 1 for text in seen)


@pytest.mark.parametrize(("one", "other"), [(["a", "b"], ["b", "a"]), ([], [])])
def test_a_fingerprint_does_not_depend_on_order(one: Sequence[str], other: Sequence[str]) -> None:
    """If this fails, listing a folder in another order rebuilds everything."""
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint([*one, "c"]) != fingerprint(other)


def test_contents_are_those_of_the_parts_however_they_lie_in_files() -> None:
    """If this fails, compaction makes everything downstream out of date."""
    parts = [Part("a", "a@v"), Part("b", "b@v")]
    apart = [Entry(f"{p.segment}.parquet", p.segment, 1, 1, p.content, (p,)) for p in parts]
    together = Entry("merged.parquet", "merged", 2, 2, "whatever", tuple(parts))
    assert Manifest(tuple(apart), "", NOON, 0).content == Manifest((together,), "", NOON, 0).content
