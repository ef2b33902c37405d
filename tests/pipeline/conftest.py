"""Fixtures of the pipeline tier: simulated centres, and sites that several tests only read."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from simulator.centre import Centre
from tests.pipeline.site import FIRST, Site, site

# Comparisons of the week that stand in files of their own tell what differs, as tests do.
_COMPARISONS = ("asked", "moves", "ops", "plans", "ratios", "rows", "sessions")
pytest.register_assert_rewrite(*(f"tests.pipeline.week_{name}" for name in _COMPARISONS))
MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def centre() -> Centre:
    """Sixteen agents over four days, two of which most tests capture."""
    return Centre.simulate(7, 16, FIRST, 4)


@pytest.fixture
def make_site(tmp_path: Path, centre: Centre, cache_dir: Path) -> Iterator[MakeSite]:
    """Makes sites on homes of their own below the test's folder."""
    with ExitStack() as stack:

        def make(name: str = "one", used: Centre | None = None, **options: Any) -> Site:
            folder = tmp_path / name
            (folder / "home" / "lake").mkdir(parents=True)
            (folder / "home" / "lake" / ".cache").symlink_to(cache_dir)
            return stack.enter_context(site(folder, used or centre, **options))

        yield make
