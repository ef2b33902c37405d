"""The tiers of the tests: the folder decides what a test may use, and how Hypothesis searches.

unit, property and models run in one process without servers; contract talks to a simulated vendor over a socket;
pipeline runs the whole product; ui opens a browser. Fixtures of one tier live in that tier's folder.
"""

import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import coverage
import pytest
from hypothesis import HealthCheck, settings

from orchestration.lake import Lake
from tests.models.workbench import Workbench

TIERS = ("unit", "property", "models", "contract", "pipeline", "ui")
SMALL = ("unit", "property", "models")
MEASURED = ("unit", "contract")
HERE = Path(__file__).parent
LONGEST = {
    "test_demo_twice",
    "test_started_again",
    "test_backfills_beside",
    "test_dagster_ui",
    "test_week",
    "test_dagster",
    "test_killed",
    "test_parallel",
    "test_forget",
}

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all homes of this run, of all its workers, keep what was found about the models' texts."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_cache(cache_dir: Path) -> Iterator[None]:
    """Share it in this process: to find it takes half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "cache_dir", property(lambda _: cache_dir))
        yield


def tier_of(path: Path) -> str:
    """The tier of a test file: its first folder below ``tests/``."""
    parts = path.relative_to(HERE).parts
    return parts[0] if parts[0] in TIERS else ""


def misplaced(items: list[pytest.Item]) -> list[str]:
    """What is wrong with the place of these tests: no tier, or a small test that asks for a whole pipeline."""
    wrong = []
    for item in items:
        tier = tier_of(item.path) if item.path.is_relative_to(HERE) else "elsewhere"
        if not tier:
            wrong.append(f"{item.nodeid}: put it into one of tests/{{{','.join(TIERS)}}}")
        if tier not in SMALL or not isinstance(item, pytest.Function):
            continue
        for name, definitions in item._fixtureinfo.name2fixturedefs.items():
            if any(d.baseid.startswith(("tests/pipeline", "tests/ui")) or "pipeline" in name for d in definitions):
                wrong.append(
                    f"{item.nodeid}: a {tier} test may not use the fixture '{name}'; move it to tests/pipeline"
                )
    return wrong


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, and refuse to run when one is out of place.

    Raises:
        pytest.UsageError: A test lies in no tier, or uses a fixture of a greater one.
    """
    if wrong := misplaced(items):
        raise pytest.UsageError("\n".join(wrong))
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(getattr(pytest.mark, tier_of(item.path)))
    # Workers share the files in this order: a long one that comes last leaves the others idle for minutes.
    items.sort(key=lambda item: (item.path.stem not in LONGEST, tier_of(item.path) not in {"pipeline", "ui"}))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure coverage where tests look at parts: to follow each line costs whole processes half their time."""
    measuring = coverage.Coverage.current()
    if measuring is None or tier_of(item.path) in MEASURED:
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()


def pytest_configure(config: pytest.Config) -> None:
    """Make the tiers known as markers, so that ``-m models`` selects one; forget the machine's zone and settings."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    for name in ("SHIFTBOOK_HOME", "SHIFTBOOK_SOURCES"):
        os.environ.pop(name, None)
    for tier in TIERS:
        config.addinivalue_line("markers", f"{tier}: tests in tests/{tier}")


@pytest.fixture(scope="session")
def bench() -> Iterator[Workbench]:
    """All SQL models over rows in memory. Holds nothing between two calls of ``run``."""
    workbench = Workbench()
    yield workbench
    workbench.close()
