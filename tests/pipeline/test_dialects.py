"""What the vendor's documents leave open, read either way, gives the same figures: the true ones.

Each reading is a source of its own, so that one small home is built for all of them.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.cxengage_json import Dialect
from tests.pipeline.site import FIRST, Site, after, day
from tests.pipeline.test_equals_truth import TIMELINE, dictionaries
from tests.pipeline.truth import Truth, begin, differences, state_sums, transfer_keys, truth

# Questions that have nothing to do with each other share a source.
DIALECTS = {
    "farewells": Dialect(offline_records=True, selection="overlap"),
    "ends": Dialect(selection="end", missing="null"),
    "hidden": Dialect(open_records="hidden", end_inclusive=True),
    "busy": Dialect(busy_state=True, entry_channels="all", allocation="highest"),
    "unchained": Dialect(chained=False, entries="single"),
}
UNTIL = begin(day(1))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Centre, Truth]:
    """Six agents over two days, and the truth of the first."""
    centre = Centre.simulate(7, 6, FIRST, 2)
    return centre, truth(centre, tmp_path_factory.mktemp("truth"), UNTIL)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, real: tuple[Centre, Truth]) -> Iterator[Site]:
    """The first day in every dialect, captured on the next morning."""
    folder = tmp_path_factory.mktemp("dialects")
    (folder / "home" / "lake").mkdir(parents=True)
    (folder / "home" / "lake" / ".cache").symlink_to(cache_dir)
    clock = SimClock(after(0, 90))
    servers = {name: CxEngageServer(real[0], clock, dialect=dialect).start() for name, dialect in DIALECTS.items()}
    try:
        site = Site(folder / "home", servers)
        site.configure()
        for name in DIALECTS:
            site.capture(after(0, 8 * 60), {day(0), day(1)}, name)
        site.build([day(0), day(1)])
        yield site
    finally:
        for server in servers.values():
            server.close()


@pytest.mark.parametrize("source", DIALECTS)
def test_the_first_day_is_the_true_one(spoken: Site, real: tuple[Centre, Truth], source: str) -> None:
    """If this fails, a reading of the documents that is not our guess makes wrong figures."""
    states = f"{TIMELINE} where source = ? and date = ? and state <> 'unobserved'"
    assert not differences(state_sums(dictionaries(spoken, states, source, day(0))), state_sums(real[1].states))
    moved = dictionaries(spoken, "select * from marts.fct_transfers where source = ? and date = ?", source, day(0))
    assert not differences(Counter(transfer_keys(moved, "to_id")), Counter(transfer_keys(real[1].transfers)))
    times = "session_id, agent_id, logged_in_at, logged_out_at"
    found = spoken.ask(
        f"select {times} from marts.fct_agent_sessions where source = ? and logged_in_at < ?", source, UNTIL
    )
    sessions = [tuple(row[name] for name in times.split(", ")) for row in real[1].sessions]
    assert not differences(Counter(found), Counter(sessions))
    assert min(len(moved), len(found)) > 2
