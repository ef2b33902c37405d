"""The account's budget at an appliance, over processes that share it: any second, any hour, and the present's share."""

from pathlib import Path

import pytest

from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.budget import Budget, limits
from assets.beyondtrust.command import POLLS, CommandClient
from assets.beyondtrust.config import BeyondTrustConfig
from assets.config import Origin
from assets.pacing import Lane
from tests.unit.scripted_appliance import CONFIG, Scripted
from tests.unit.test_pacing import Stepping

KEYS = {name: getattr(CONFIG, name) for name in ("name", "vendor", "base_url")}


class Account:
    """Processes on one home that use one account, by one clock.

    Attributes:
        folder: Where their limits are kept.
        asked: When something was asked, in seconds.
    """

    folder: Path

    def __init__(self, processes: int = 3, **changes: object) -> None:
        origin = Origin(environ={"ID": "account", "SECRET": "s"}, pace_dir=self.folder)
        secrets = {"client_id": "${ID}", "client_secret": "${SECRET}"}
        config = BeyondTrustConfig.model_validate({**KEYS, **secrets, **changes}, context=origin)
        self.clock = Stepping(1_000_000.0)
        self.budgets = [Budget(config, self.clock) for _ in range(processes)]
        self.asked: list[float] = []

    def ask(self, process: int, lane: Lane = "past", status: int = 200, **headers: str) -> float:
        """Ask, and be answered at once; returns how long it had to wait, in seconds."""
        before = self.clock.at
        pacer = self.budgets[process].lane(lane)
        pacer.wait()
        self.asked.append(self.clock.at)
        pacer.note(status, {name.replace("_", "-"): text for name, text in headers.items()})
        return self.clock.at - before


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Account, "folder", tmp_path / "pace", raising=False)


def most(times: list[float], seconds: float) -> int:
    """How many lay at most in so many seconds."""
    first, greatest = 0, 0
    for last, moment in enumerate(times):
        while times[first] <= moment - seconds:
            first += 1
        greatest = max(greatest, last - first + 1)
    return greatest


def test_no_second_holds_more_than_the_account_may_ask() -> None:
    """A recorder and two runs at once would be refused, each having kept to a limit of its own."""
    account = Account()
    for number in range(600):
        account.ask(number % 3, "live" if number % 20 < 10 else "past")
    assert most(account.asked, 1.0) <= 8 + 10


def test_no_hour_holds_more_than_the_account_may_ask(tmp_path: Path) -> None:
    """Runs one after the other would use up the hour, and the recorder be refused for the rest of it."""
    (tmp_path / "pace").write_text("no folder: to keep it in memory is quicker")
    account = Account(1)
    for _ in range(12_000):
        account.ask(0)
    spent = account.clock.at - 1_000_000.0
    assert 3000 < spent < 3900
    past = most(account.asked, 3600.0)
    live = limits(None)["live"][0]
    assert past + live.burst + 3600 / live.every < 15_000 - 1_500


def test_a_first_capture_goes_at_full_speed() -> None:
    """A week of archives would take as long as the hour's budget is spread."""
    account = Account()
    for number in range(1_400):
        account.ask(number % 3)
    assert account.clock.at - 1_000_000.0 < 200


def test_a_backfill_makes_the_present_not_wait() -> None:
    """While a run asks for a week, nobody would know who is signed in."""
    account = Account()
    for number in range(100):
        account.ask(number % 2)
    assert [account.ask(2, "live") for _ in range(5)] == [0.0] * 5


@pytest.mark.parametrize("left", ["15000", "1500", "", "many", "-1"])
def test_an_hour_with_enough_left_is_not_spread(left: str) -> None:
    """A capture would crawl because of a header that says nothing."""
    account = Account()
    assert sum(account.ask(0, X_RateLimit_Remaining=left) for _ in range(9)) < 2


@pytest.mark.parametrize(("left", "waits"), [("1499", 3.0), ("301", 60.0), ("12", 60.0)])
def test_the_rest_of_an_hour_is_spread_over_all_processes_and_some_of_it_kept(left: str, waits: float) -> None:
    """Each process would take the whole rest for its own, or the past take what the present needs."""
    account = Account()
    account.ask(0, X_RateLimit_Remaining=left)
    later = [account.ask(number, X_RateLimit_Remaining=left) for number in (1, 2, 0)]
    assert later == pytest.approx([waits] * 3, abs=0.1)
    live = [account.ask(number, "live", X_RateLimit_Remaining=left) for number in (1, 2)]
    assert live[1] == pytest.approx(0.0 if int(left) > 300 else 60.0, abs=0.1)


def test_when_there_is_enough_again_it_goes_on_as_before() -> None:
    """A slow hour would never end, least of all for a process that did not see it begin."""
    account = Account()
    account.ask(0, X_RateLimit_Remaining="400")
    account.ask(1, X_RateLimit_Remaining="14999")
    account.ask(1)
    assert account.ask(2) < 1


def test_after_too_many_requests_all_processes_pause() -> None:
    """Each would be refused for itself, the recorder, too."""
    account = Account()
    account.ask(0, status=429)
    assert account.ask(1, "live") == pytest.approx(10.0)
    for said, seconds in {"30": 30.0, "9000": 60.0}.items():
        account.ask(1, status=429, Retry_After=said)
        assert account.ask(2) == pytest.approx(seconds)


def test_a_limit_that_is_stated_is_kept_to_by_all_together() -> None:
    """Two processes would send twice what an administrator allowed."""
    account = Account(max_requests_per_minute=60)
    for number in range(96):
        account.ask(number % 3)
    assert most(account.asked, 60.0) == 48
    assert limits(6_000)["past"][0].every == 60 / 4_800


def test_the_doctor_and_the_command_api_are_the_present() -> None:
    """Who is signed in would not be known while a week is fetched, and the doctor would wait for it to end."""
    site = Scripted(lambda _: b"<archives/>")
    client = ArchiveClient(CONFIG, site)
    list(site.examine("perm_reporting_archive", "Allow Access to Archive Reports"))
    CommandClient(CONFIG, site)._ask(POLLS[0])
    client.vendor_now()
    assert [(one.get("action"), lane) for one, lane in zip(site.asked, site.lanes, strict=True)] == [
        ("get_api_info", "live"),
        (None, "past"),
    ]


def test_other_accounts_are_not_held_up(tmp_path: Path) -> None:
    """One site's backfill would slow down another's."""
    one, other = Account(), Account(base_url="http://127.0.0.1:2")
    one.ask(0, status=429)
    assert other.ask(0) == 0.0
    assert "account" not in "".join(path.name for path in (tmp_path / "pace").iterdir())
