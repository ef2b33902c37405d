"""As much as a large centre says, for a moment; how much of a core it takes is measured by ``benchmarks``."""

from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.recorder import MESSAGES, POLLS, load


def test_a_busy_centre_is_recorded_without_falling_behind(tmp_path: Path) -> None:
    """If this fails, messages pile up in memory while the recorder is busy with others."""
    found = load(tmp_path, 2.0)
    # A loaded machine may hold us up for a moment; it must not add up.
    assert found["said"] > 0.8 * (MESSAGES + POLLS)
    files = [*(tmp_path / "lake").glob("raw/toy/*/source=one/date=*/*.parquet")]
    assert sum(pq.read_metadata(file).num_rows for file in files) == round(found["said"] * 2.0)
    assert not list(tmp_path.rglob("*.spool"))
