"""Dagster's pages of a running ``shiftbook up`` in a real browser, as an operator walks them."""

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from playwright.sync_api import Browser, Page, expect

from orchestration.backfill import Runner, recorded
from orchestration.freshness import asset_key
from orchestration.resources import Engine
from tests.pipeline.running import Up, until
from tests.pipeline.site import STATE_MAP, day
from tests.pipeline.toy import engine_at, land, shift
from tests.ui.browser import chromium

GROUPS = ("cxengage", "staging", "intermediate", "marts", "ops", "reports")
MART = "marts.agg_agent_days"
PAGE = "/assets/marts/agg_agent_days"
SOON = 60_000  # ms, for pages of a server that builds at the same time on two cores
AT_LAST = 300_000  # ms, for the daemon to see a backfill, run it and see that it ended


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, cache_dir: object) -> Engine:
    """Two days built through Dagster, whose feed has stood still since; one mart is by an earlier definition."""
    folder = tmp_path_factory.mktemp("ui")
    lake = folder / "home" / "lake"
    lake.mkdir(parents=True)
    (lake / ".cache").symlink_to(str(cache_dir))
    (folder / "states.csv").write_text(STATE_MAP, encoding="utf-8")
    engine = engine_at(lake.parent, state_map="states.csv")
    days = [day(0), day(1)]
    for on in days:
        land(engine, on, shift("ann", on) + shift("bob", on, (9, 11, 12, 20)))
    Runner(engine, *days).rebuild(days)
    for on in days:
        manifest = engine.builder.builds.manifest(MART, on)
        assert manifest is not None
        engine.builder.builds.put(MART, on, dataclasses.replace(manifest, inputs="by the model as it was"))
    told_fresh(engine, datetime.now(UTC) - timedelta(hours=2))
    return engine


def told_fresh(engine: Engine, at: datetime) -> None:
    """Dagster heard at that moment, for the last time, that the feed is fresh."""
    key = asset_key("cx", "agent_states")
    with dg.DagsterInstance.ephemeral() as now:
        now.report_runless_asset_event(dg.AssetMaterialization(key))
        entry = now.get_latest_materialization_event(key)
    assert entry is not None
    with recorded(engine) as instance:
        instance.store_event(entry._replace(timestamp=at.timestamp()))


@pytest.fixture(scope="module")
def up(built: Engine) -> Iterator[Up]:
    """Webserver, daemon, code and recorder on it, once the pages know the code."""
    running = Up(built.settings)
    until(
        lambda: (
            running.address
            and "shiftbook"
            in str(running.ask("{repositoriesOrError{... on RepositoryConnection{nodes{location{name}}}}}"))
        )
    )
    yield running
    running.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(up: Up, browser: Browser) -> Iterator[Page]:
    """A tab with the address of the pages.

    The browser comes last: it has an event loop of this thread, in which no run of Dagster's is started.
    """
    context = browser.new_context(base_url=up.address, viewport={"width": 1500, "height": 950})
    context.set_default_timeout(SOON)
    expect.set_options(timeout=SOON)
    yield context.new_page()
    context.close()


def test_the_graph_shows_its_groups(page: Page) -> None:
    """If this fails, whoever opens the pages sees a heap of tables instead of the way from a vendor to a mart."""
    page.goto("/asset-groups")
    graph = page.locator("foreignObject")
    for group in GROUPS:
        expect(graph.filter(has_text=re.compile(rf"\b{group}\b")).first).to_be_visible()


def test_a_mart_says_where_it_comes_from_and_how_its_days_were(page: Page) -> None:
    """If this fails, nobody can follow a figure to the payload, or see occupancy without writing SQL."""
    page.goto(PAGE)
    for words in ("Seconds in each state per agent and UTC day", "agg_agent_days.sql", "operations"):
        expect(page.get_by_text(words).first).to_be_visible()
    page.goto(f"{PAGE}?view=lineage&lineageScope=upstream&lineageDepth=20")
    for asset in ("fct_agent_timeline", "int_agent_records", "agent_states"):
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()
    page.goto(f"{PAGE}?view=partitions&partition={day(1)}")
    # Each of two agents handles for one hour; one waits for eight hours beside that, the other for ten.
    for name, value in {"dagster/row_count": "2", "agents": "2", "occupancy_percent": "10"}.items():
        row = page.get_by_role("row").filter(has=page.get_by_text(name, exact=True))
        expect(row.get_by_role("cell").nth(1)).to_have_text(value)
    page.goto(PAGE)
    page.get_by_role("button", name="Plots").click()
    expect(page.get_by_text("occupancy_percent", exact=True).first).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()


def test_a_feed_that_stands_still_and_rows_that_break_a_rule_are_shown_as_failing(page: Page) -> None:
    """If this fails, a standstill or a wrong figure looks as well as everything else, or nobody learns what to do."""
    page.goto("/assets/raw/cx/agent_states?view=checks&checkDetail=data_is_fresh")
    # The sensor tells it within a minute.
    expect(page.get_by_text("cx/agent_states: observed until 2026-11-04 00:00:00 UTC")).to_be_visible(timeout=AT_LAST)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    page.goto("/assets/intermediate/int_agent_records?view=checks&checkDetail=load_is_what_is_handled")
    told = page.get_by_text("4 rows break this; the first: ")
    expect(told).to_contain_text("agent_id ann")
    expect(told).to_contain_text("To do: do not pass on these figures")
    expect(told).not_to_contain_text("None")
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()


def test_dagsters_own_freshness_fails_with_the_data(page: Page) -> None:
    """If this fails, whoever looks at Dagster's freshness sees a feed as healthy hours after its data stood still."""
    page.goto("/assets/ops/freshness/cx/agent_states")
    expect(page.get_by_text("Freshness policy", exact=True).first).to_be_visible()
    # The daemon judges it every half minute; no materialisation followed the one of two hours ago.
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=AT_LAST)
    expect(page.get_by_text("Last materialized 2 hours ago")).to_be_visible()


def test_a_backfill_from_the_pages_runs_to_its_end(page: Page, built: Engine) -> None:
    """If this fails, days by an earlier definition cannot be built anew without a shell."""
    days = [day(0), day(1)]
    assert set(days) <= set(built.out_of_date_days())
    page.goto(PAGE)
    page.get_by_role("button", name="Materialize").first.click()
    dialogue = page.get_by_role("dialog")
    asked = dialogue.locator("input[type=text]").first
    asked.fill(f"[{days[0]}...{days[1]}]")
    asked.press("Enter")
    expect(dialogue.get_by_text("2 partitions", exact=True)).to_be_visible()
    expect(dialogue.get_by_text("Backfills all partitions in a single run.")).to_be_visible()
    dialogue.get_by_role("button", name="Launch backfill").click()
    expect(page.get_by_text("Created backfill")).to_be_visible()
    page.goto("/runs?view=backfills")
    expect(page.get_by_text("agg_agent_days").first).to_be_visible()
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=AT_LAST)
    # Today is the schedule's: it may be between its segments and its build whenever one looks.
    assert not set(days) & set(built.out_of_date_days())
