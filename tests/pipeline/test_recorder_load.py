"""As much as a large centre says, for a moment; how much of a core it takes is measured by ``benchmarks``."""

from pathlib import Path

from benchmarks.recorder import load


def test_a_busy_centre_is_recorded_without_falling_behind(tmp_path: Path) -> None:
    """If this fails, messages are lost, kept twice, or pile up in memory while the recorder is busy with others."""
    found = load(tmp_path, 2.0, agents=200, seal=0.5)
    assert found["polls"] == found["polls_told"] > 200 * 4
    assert found["updates"] == found["copies"] == found["updates_told"] > 500 * 2
    assert not list(tmp_path.rglob("*.spool"))
