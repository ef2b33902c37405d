"""What was delivered twice, in any order and under any window, counts once."""

import random
from datetime import timedelta

import pyarrow.parquet as pq

from orchestration.lake import Page, Segment, segments_of
from simulator.faults import Faults
from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import SOURCE, Site, after, copy, day
from tests.pipeline.truth import differences

DAYS = [day(0), day(1)]


def redelivered(site: Site, rng: random.Random) -> list[Segment]:
    """Every page that was ever got, twice more, each alone in a window a little off, received at another time."""
    found = []
    base = site.engine.lake.root / "raw" / "cxengage" / "agent_states" / f"source={SOURCE}"
    for path in {path for folder in base.glob("date=*") for path in segments_of(folder).values()}:
        for row in pq.read_table(path).to_pylist() * 2:
            received = row["received_at"] + timedelta(seconds=rng.uniform(-90_000, 90_000))
            page = Page(received, received, row["request"], row["status"], row["content_type"], row["payload"])
            start = row["window_start"] + timedelta(seconds=rng.randint(1, 200))
            end = row["window_end"] + timedelta(seconds=rng.randint(0, 200))
            found.append(Segment("cxengage", SOURCE, "agent_states", start, end, (page,)))
    rng.shuffle(found)
    return found


def test_every_page_twice_in_random_order_changes_no_row(make_site: MakeSite) -> None:
    """A record counted per delivery and not per id would add seconds, transfers or sessions here."""
    site = make_site(faults=Faults(duplicate_rows=0.05, shuffled=True))
    site.fill(2, page_limit=20)
    before = site.tables("marts", "ops")
    staged = site.ask("select count(*) from staging.stg_cxengage__agent_states")[0][0]
    segments = redelivered(site, random.Random(5))
    for part in (segments[::2], segments[1::2]):
        assert all(site.engine.lake.land(segment) for segment in part)
        site.build(DAYS)
        assert not [table for table, rows in site.tables("marts", "ops").items() if rows != before[table]]
    assert site.ask("select count(*) from staging.stg_cxengage__agent_states") == [(staged * 3,)]


def test_the_order_of_capture_makes_no_difference(make_site: MakeSite) -> None:
    """Days captured and built backwards or all at once must not differ from days taken as they come."""
    forth, back = make_site("forth"), make_site("back")
    forth.capture(after(0), [day(0)])
    forth.build([day(0)])
    forth.capture(after(1), DAYS)
    forth.build(DAYS)
    back.capture(after(1), [day(1)])
    back.build([day(1)])
    back.capture(after(1), [day(0)])
    back.build([day(0)])
    back.build(back.engine.stale_days(day(0)))
    one, other = forth.tables("marts"), back.tables("marts")
    # The day after the last was asked for only where a state ran on.
    assert not differences(one, other)


def test_building_again_finds_everything_current(make_site: MakeSite) -> None:
    """A fingerprint that hangs on anything but rows and SQL would rebuild every day on every run."""
    site = make_site()
    site.fill(2)
    assert {outcome.result for outcome in site.build(DAYS)} == {"current"}
    other = copy(site, site.home.parent / "copied")
    assert {outcome.result for outcome in other.build(DAYS)} == {"current"}
