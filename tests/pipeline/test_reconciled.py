"""Our figures beside the vendor's own, over the whole product: they agree, and where the vendor errs it is named."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from assets.capture import capture, keep
from assets.cxengage import AGENT_INTERVALS
from assets.cxengage.config import CxEngageConfig
from assets.cxengage.intervals import IntervalsClient
from assets.http import Options, Retry, Session
from assets.windows import Window
from orchestration.builder import Verdict
from orchestration.inputs import midnight
from simulator.centre import Centre
from simulator.faults import Faults
from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import FIRST, SOURCE, Site, after, day

COMPARED = """
select figure, is_judged, count(*), count(*) filter (abs(difference_seconds) > 0.01), sum(theirs_seconds) > 3600
from ops.reconciliation group by all order by all
"""


def client(site: Site) -> IntervalsClient:
    """The client of the vendor's own sums, which does not wait between tries."""
    config = next(s for s in site.engine.settings.sources if isinstance(s, CxEngageConfig))
    basic = (site.server.username, site.server.password)
    session = Session(SOURCE, site.server.base_url, basic=basic, options=Options(retry=Retry(tries=12, base=0.001)))
    return IntervalsClient(config, session)


def judged(site: Site, names: Iterable[str] = ("within_tolerance", "everybody_is_known")) -> dict[str, Verdict]:
    """What the checks of the reconciliation find on the first day."""
    checks = {check.name: check for check in site.engine.checks["ops.reconciliation"]}
    return {name: site.engine.builder.judge(checks[name], [day(0)]) for name in names}


def test_our_figures_equal_the_vendors_own_until_it_errs(make_site: MakeSite) -> None:
    """If this fails, the second opinion cries wolf over right figures, or says nothing of wrong ones."""
    site = make_site(used=Centre.simulate(7, 6, FIRST, 1))
    site.configure(feeds=["agent_states", "agent_intervals"])
    site.capture(after(0), {day(0)})
    lake, feed = site.engine.lake, AGENT_INTERVALS
    got = capture(client(site), lake, vendor="cxengage", source=SOURCE, feed=feed, days=[FIRST])
    assert (got.failed, got.landed) == (0, 24)
    site.build([day(0)])
    seen = {(figure, is_judged): rest for figure, is_judged, *rest in site.ask(COMPARED)}
    for figure in ("available_seconds", "handling_seconds"):
        count, different, much = seen[figure, True]
        assert (count > 60, different, much) == (True, 0, True)
    assert {name: verdict.failing for name, verdict in judged(site).items()} == {
        "within_tolerance": 0,
        "everybody_is_known": 0,
    }

    site.server.set_faults(Faults(seed=5, altered_figures=0.5))
    noon = Window(midnight(FIRST) + timedelta(hours=12), midnight(FIRST) + timedelta(hours=13))
    keep(lake, "cxengage", SOURCE, feed.name, noon, after(0), client(site).fetch(noon))
    site.build([day(0)])
    found = judged(site)["within_tolerance"]
    wrong = site.ask("select difference_seconds from ops.reconciliation where abs(difference_seconds) > 2")
    assert found.failing == len(wrong) > 5
    shown: dict[str, Any] = dict(found.sample[0])
    assert {"agent_id", "interval_start", "figure", "ours_seconds", "theirs_seconds"} <= shown.keys()
