"""The Kore.ai client against a fake vendor over real sockets, in health and in every kind of trouble."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from assets.capture import CaptureError, capture
from assets.config import Origin
from assets.http import Clock, PermanentError, TransientError
from assets.kore import AGENT_ACTIVITY
from assets.kore.client import KoreClient
from assets.kore.config import KoreConfig
from assets.windows import Window
from orchestration.lake import Lake
from tests.contract.kore_fake import ACCOUNT, APP, PATH, SECRET, Vendor, serving

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = Window(NOW - timedelta(hours=3), NOW - timedelta(hours=2))
Make = Callable[..., KoreClient]


class Hasty(Clock):
    """Real time, but nobody waits."""

    waited = 0.0

    def sleep(self, seconds: float) -> None:
        """Note how long it would have been."""
        Hasty.waited += seconds


@pytest.fixture
def vendor() -> Vendor:
    """A vendor where something happens twice a minute for six hours."""
    return Vendor(twice_a_minute(NOW))


def twice_a_minute(until: datetime) -> list[tuple[datetime, str, str, str]]:
    """Six hours of one agent."""
    events = [(until - timedelta(seconds=30 * n), "ann", "ready" if n % 2 else "notready", "1") for n in range(720)]
    return events[::-1]


@pytest.fixture
def make(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Clients of it that do not wait between tries, with budgets of their own."""
    monkeypatch.setattr("assets.http.Clock", Hasty)
    with serving(vendor) as address:
        yield lambda **changes: KoreClient(config(address, **changes))


def config(address: str, **changes: Any) -> KoreConfig:
    """The source as a user would write it."""
    environ = {"KORE_APP": changes.pop("app", APP), "KORE_SECRET": changes.pop("secret", SECRET)}
    keys = {
        "name": "kore_in",
        "vendor": "kore",
        "base_url": address,
        "account_id": ACCOUNT,
        "app_id": "${KORE_APP}",
        "client_secret": "${KORE_SECRET}",
        "max_requests_per_minute": 5_000,
    }
    pace = changes.pop("pace", None)
    return KoreConfig.model_validate(keys | changes, context=Origin(environ=environ, pace_dir=pace))


def times(pages: Any) -> set[str]:
    """The times of all updates of all pages."""
    return {one["EventTime"] for page in pages for one in json.loads(page.payload)["AgentUpdates"]}


def expected(vendor: Vendor, window: Window) -> set[str]:
    """The times of the vendor's events in a window."""
    found = [at for at, *_ in vendor.events if window.start <= at < window.end]
    return {f"{at:%m/%d/%Y} {at.hour}:{at:%M:%S}" for at in found}


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_window_is_fetched_whole(vendor: Vendor, make: Make, inclusive: Any) -> None:
    """Updates at the ends of windows would be lost at a vendor that leaves the ends out."""
    vendor.inclusive = inclusive
    fetched = make().fetch(HOUR)
    assert fetched.status == "ok"
    assert fetched.error is None
    assert expected(vendor, HOUR) <= times(fetched.pages)
    assert fetched.records == len(times(fetched.pages))
    assert abs((fetched.vendor_time or NOW) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_page_says_how_it_was_got(make: Make) -> None:
    """A raw segment would not show what was asked, or would hold the token."""
    [page] = make().fetch(HOUR).pages
    begin, end = HOUR.start - timedelta(seconds=1), HOUR.end + timedelta(seconds=1)
    ends = f"fromTimeStamp={begin:%Y-%m-%dT%H:%M:%SZ}&toTimeStamp={end:%Y-%m-%dT%H:%M:%SZ}"
    assert page.request == f"GET {PATH}?{ends}"
    assert (page.status, page.content_type) == (200, "application/json")


def test_each_request_has_a_token_of_its_own(vendor: Vendor, make: Make) -> None:
    """An app that enforces jti would refuse the second request, or a leaked token would serve for ever."""
    client = make()
    client.vendor_now()
    client.fetch(HOUR)
    first, second = vendor.claims
    assert (first["sub"], first["appId"]) == ("shiftbook", APP)
    assert first["jti"] != second["jti"]
    assert second["exp"] - second["iat"] == 900
    assert abs(second["iat"] - datetime.now(UTC).timestamp()) < 60


def test_the_stream_is_named_when_it_is_configured(vendor: Vendor, make: Make) -> None:
    """An account whose API wants the header iId could not be captured."""
    vendor.stream = "st-1"
    with pytest.raises(PermanentError, match="WFM Integration"):
        make().fetch(HOUR)
    assert make(stream_id="st-1").fetch(HOUR).status == "ok"


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
def test_the_rate_limit_is_known_by_its_text(vendor: Vendor, make: Make, status: int) -> None:
    """With which status it comes is documented nowhere: it would pass for data, for a refusal, or for a breakdown."""
    vendor.limited = (3, status)
    before = Hasty.waited
    assert make().fetch(HOUR).status == "ok"
    assert Hasty.waited > before
    vendor.limited = (99, status)
    with pytest.raises(TransientError, match="max_requests_per_minute") as failure:
        make().fetch(HOUR)
    assert failure.value.status == 429
    assert f"answered {status}" in str(failure.value)


def test_the_present_waits_behind_no_backfill(make: Make, tmp_path: Path) -> None:
    """If this fails, the recorder stands still for as long as a backfill has used up the account's minute."""

    def used() -> set[str]:
        return {path.name.rpartition("-")[2] for path in tmp_path.iterdir()}

    client = make(pace=tmp_path)
    now = client.vendor_now()
    client.fetch(Window(now - timedelta(seconds=90), now - timedelta(seconds=60)))
    assert used() == {"live"}
    client.fetch(HOUR)
    assert used() == {"live", "past"}


def test_a_token_is_dated_by_the_vendors_clock_in_both_shares(make: Make) -> None:
    """If this fails, a machine whose clock is wrong captures the present, and is refused the past."""
    client = make()
    client._lanes.asker("live").drift_seconds = -7200.0
    assert client._lanes.asker("past").drift_seconds == -7200.0


@pytest.mark.parametrize(("changes", "way_out"), [({"secret": "x" * 40}, "client_secret"), ({"app": "other"}, "scope")])
def test_a_refusal_ends_the_capture_and_tells_no_secret(
    make: Make, tmp_path: Path, changes: dict[str, str], way_out: str
) -> None:
    """A wrong secret, told with any status, would be tried for every window, or be printed."""
    with pytest.raises(CaptureError, match=way_out) as failure:
        capture(
            make(**changes),
            Lake(tmp_path / "lake"),
            vendor="kore",
            source="kore_in",
            feed=AGENT_ACTIVITY,
            days=[HOUR.start.date()],
        )
    told = str(failure.value) + repr(failure.value.result)
    assert not any(value in told for value in (SECRET, APP, *changes.values()))


def test_a_vendor_that_repeats_our_token_does_not_make_us_print_it(vendor: Vendor, make: Make) -> None:
    """A token in an error's text could be used by whoever reads the log."""
    token = jwt.encode({"appId": APP}, SECRET, "HS256")
    vendor.answer = (404, f"cannot be used here: {token}".encode())
    with pytest.raises(PermanentError) as failure:
        make().fetch(HOUR)
    assert token not in str(failure.value)
    assert "cannot be used here" in str(failure.value)


@pytest.mark.parametrize("cap", [50, 100])
def test_a_cap_that_nobody_documented_is_noticed(vendor: Vendor, make: Make, cap: int) -> None:
    """A vendor that cuts its replies without a word would lose the rest for good."""
    vendor.cap = cap
    fetched = make().fetch(HOUR)
    assert fetched.status == "ok"
    assert expected(vendor, HOUR) <= times(fetched.pages)
    assert len(fetched.pages) > 1


def test_a_count_that_only_looks_like_a_cap_costs_two_requests(vendor: Vendor, make: Make) -> None:
    """A round count by chance would keep replies twice, or split windows to the second."""
    vendor.events = vendor.events[::14][:50]
    fetched = make().fetch(Window(NOW - timedelta(hours=7), NOW - timedelta(minutes=2)))
    assert (fetched.status, fetched.records, len(fetched.pages), len(vendor.asked)) == ("ok", 50, 1, 3)


def test_more_in_a_second_than_a_reply_holds_is_a_failure(vendor: Vendor, make: Make) -> None:
    """A window that cannot be had whole would count as observed."""
    at = HOUR.start + timedelta(minutes=5)
    vendor.events = [(at, f"agent {n}", "ready", "") for n in range(60)]
    vendor.cap = 50
    fetched = make().fetch(HOUR)
    assert fetched.status == "failed"
    assert "cut at 50 updates in a second" in str(fetched.error)
    assert len(vendor.asked) < 60


def test_a_reply_that_is_none_is_kept(vendor: Vendor, make: Make) -> None:
    """What the vendor sent would be lost, or count as a window in which nothing happened."""
    vendor.answer = (200, b'{"status": "maintenance"}')
    fetched = make().fetch(HOUR)
    assert (fetched.status, fetched.records) == ("unreadable", None)
    assert [page.payload for page in fetched.pages] == [b'{"status": "maintenance"}']


def test_a_day_is_captured_and_then_left_alone(make: Make, vendor: Vendor, tmp_path: Path) -> None:
    """Every run would ask for everything again, or a second run would find nothing to compare with."""
    lake = Lake(tmp_path / "lake")
    days = sorted({(NOW - timedelta(hours=n)).date() for n in (0, 6)})
    wanted: dict[str, Any] = {"vendor": "kore", "source": "kore_in", "feed": AGENT_ACTIVITY, "days": days}
    first = capture(make(), lake, **wanted)
    assert (first.failed, first.landed) == (0, first.planned)
    asked = len(vendor.asked)
    second = capture(make(), lake, **wanted)
    assert second.planned <= 3  # the running hour, and what is due for its second look
    assert len(vendor.asked) - asked == second.planned + 1


def test_the_doctor_finds_what_is_wrong(vendor: Vendor, make: Make) -> None:
    """An administrator would not know whether address, secret, scope or zone must be mended."""

    def found(**changes: Any) -> list[tuple[str, bool]]:
        return [(probe.name, probe.ok) for probe in make(**changes).probe()]

    well = [("reachability", True), ("credentials", True), ("permission", True), ("clock", True)]
    vendor.events = twice_a_minute(datetime.now(UTC))  # the last hour is looked at, whenever the test runs
    assert found() == [*well, ("event_timezone", True)]
    assert found(event_timezone="Asia/Kolkata") == [*well, ("event_timezone", False)]
    assert found(secret="y" * 40) == [well[0], ("credentials", False)]
    assert found(app="other") == [*well[:2], ("permission", False)]
    assert found(account_id="elsewhere") == [well[0], ("address", False)]
    vendor.shift, vendor.camel = timedelta(hours=5, minutes=30), True
    assert found(event_timezone="Asia/Kolkata") == [*well, ("event_timezone", True)]
    advice = list(make().probe())[-1].message
    assert "about +5.5 hours" in advice
    vendor.answer = (200, b"{}")
    assert found() == [*well, ("updates", False)]
    vendor.answer = (200, b'{"accountId": "x"}')
    assert list(make().probe())[-1].message == "UTC; no updates in the last hour to judge it by"


def test_the_doctor_names_a_variable_that_is_not_set(make: Make) -> None:
    """A forgotten variable would pass for an address that does not answer."""
    [probe] = make(client_secret="${NOBODY}").probe()
    assert (probe.name, probe.ok) == ("credentials", False)
    assert "NOBODY" in probe.message
