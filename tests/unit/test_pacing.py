"""The limit that processes share: never too many in a minute, bursts allowed, and a damaged file harms nobody."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from assets.config import Origin
from assets.cxengage import client as cxengage
from assets.cxengage.config import CxEngageConfig
from assets.http import Clock, Options, Retry, Session, TransientError
from assets.huawei import cms
from assets.huawei.config import HuaweiConfig
from assets.kore import session as kore
from assets.kore.config import KoreConfig
from assets.pacing import LANES, Bucket, SharedBuckets, SharedPacer, _this_boot, pace_file, shared_pacer
from assets.threads import held_back


class Stepping(Clock):
    """Stands still but for sleeping."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def now(self) -> datetime:
        """The faked time."""
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        """Seconds."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.at += seconds


class Noting(Stepping):
    """Stands still even then: what is waited for is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Note it."""
        self.places.append(self.at + seconds)


@given(
    limit=st.integers(min_value=1, max_value=8),
    pauses=st.lists(st.tuples(st.integers(0, 2), st.floats(min_value=0, max_value=90)), max_size=40),
)
def test_no_minute_ever_holds_more_than_the_limit(
    tmp_path_factory: pytest.TempPathFactory, limit: int, pauses: list[tuple[int, float]]
) -> None:
    """The vendor would refuse us, and whoever else uses the account."""
    path = tmp_path_factory.mktemp("pace") / "kore"
    clock = Stepping()
    processes = [SharedPacer(path, limit, clock) for _ in range(3)]
    sent = []
    for which, pause in pauses:
        clock.at += pause
        processes[which].wait()
        sent.append(clock.at)
    assert all(later - sooner >= 60 - 1e-6 for sooner, later in zip(sent, sent[limit:], strict=False))


def test_a_burst_is_sent_at_once_and_the_rest_evenly(tmp_path: Path) -> None:
    """A few windows would wait on an idle account, or a backfill would make peaks, which the vendor asks us not to."""
    clock = Stepping()
    pacer = SharedPacer(tmp_path / "a" / "kore", 40, clock)
    sent = []
    for _ in range(45):
        pacer.wait()
        sent.append(clock.at - 1000.0)
    assert sent[:11] == [0.0] * 10 + [15.0]
    assert sent[39:42] == [45.0, 60.0, 60.0]


def test_waiting_requests_take_places_one_after_the_other(tmp_path: Path) -> None:
    """All who wait would go at the same moment, and be too many."""
    clock = Noting()
    for _ in range(7):
        SharedPacer(tmp_path / "kore", 2, clock).wait()
    assert clock.places == [1060.0, 1060.0, 1120.0, 1120.0, 1180.0]


@pytest.mark.parametrize("content", ["nonsense", "1e999 2e999", "nan", "9e9 9e9 9e9", "\xff\x00", ""])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, content: str) -> None:
    """One bad byte would stop the source for days."""
    path = tmp_path / "kore"
    path.write_text(f"{_this_boot()} {content}", encoding="latin-1")
    clock = Stepping()
    pacer = SharedPacer(path, 2, clock)
    for _ in range(3):
        pacer.wait()
    assert clock.at == 1060.0


def test_places_from_before_the_machine_was_started_anew_count_no_more(tmp_path: Path) -> None:
    """If this fails, nothing is asked for as long as the machine had run before: its clock begins anew."""
    path = tmp_path / "kore"
    path.write_text("another-boot\n1900.0\n1900.0")
    clock = Stepping()
    SharedPacer(path, 2, clock).wait()
    assert clock.at == 1000.0


def test_where_no_file_can_be_the_limit_holds_for_the_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A machine without a folder for temporary files could not capture, or would capture without a limit."""
    (tmp_path / "file").write_text("")
    clock = Stepping()
    pacer = SharedPacer(tmp_path / "file" / "kore", 2, clock)
    for _ in range(3):
        pacer.wait()
    assert clock.at == 1060.0
    assert caplog.text.count("for this process alone") == 1


def test_no_link_of_somebody_else_is_followed(tmp_path: Path) -> None:
    """In a folder that everybody may write to, a link could make us overwrite a file of our own."""
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "kore").symlink_to(target)
    SharedPacer(tmp_path / "kore", 2, Stepping()).wait()
    assert target.read_text() == "precious"


def test_those_who_share_the_file_lose_no_place_to_each_other(tmp_path: Path) -> None:
    """Two that write at once would forget each other's requests."""
    path = tmp_path / "kore"

    def wait_often(_: int) -> None:
        pacer = SharedPacer(path, 6000)
        for _ in range(50):
            pacer.wait()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(wait_often, range(4)))
    assert len(path.read_text().split()) == 201


def source(tmp_path: Path, **changes: Any) -> CxEngageConfig:
    """A source of a home."""
    keys = {
        "name": "cx",
        "vendor": "cxengage",
        "base_url": "https://api.example.com",
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "username": "${USER}",
        "password": "${USER}",
    }
    return CxEngageConfig.model_validate(keys | changes, context=Origin(environ=ENVIRON, pace_dir=tmp_path))


ENVIRON = {"USER": "somebody"}


@pytest.mark.parametrize("limit", [1, 2, 5, 50, 599, 600, 601, 659, 2000])
def test_the_present_and_the_past_together_stay_below_the_limit(tmp_path: Path, limit: int) -> None:
    """If this fails, a backfill beside the recorder asks too often, or leaves it nothing."""
    config = source(tmp_path, max_requests_per_minute=limit)
    made = [shared_pacer(config, lane, "x", clock=Stepping()) for lane in LANES]
    assert all(made)
    sent = []
    for one in {pacer._path: pacer for pacer in made if pacer}.values():
        sent += [one.place() for _ in range(limit + 1)]
    assert len([place for place in sent if place < 60]) <= limit
    assert limit == 1 or all(pacer and pacer.place() for pacer in made)


def test_who_has_no_limit_is_not_held_up(tmp_path: Path) -> None:
    """If this fails, a source whose vendor knows no limit is fetched slowly for nothing."""
    assert shared_pacer(source(tmp_path), "past", "x") is None


def test_an_account_is_one_whoever_asks_and_no_other_account_is(tmp_path: Path) -> None:
    """If this fails, each process has the whole limit, or one tenant's backfill stops another's."""
    one, two = (source(tmp_path, name=name, max_requests_per_minute=60) for name in ("one", "two"))
    for lane in LANES:
        pacers = [cxengage.connect(each, lane=lane).options.pacer for each in (one, two)]
        assert len({pacer._path for pacer in pacers if isinstance(pacer, SharedPacer)}) == 1
    other = source(tmp_path, tenant_id="11111111-0000-0000-0000-000000000000")
    files = {pace_file(one, lane, one.base_url, each.tenant_id) for each in (one, other) for lane in LANES}
    assert len(files) == 4
    assert {file.parent for file in files if file} == {tmp_path}


def test_kores_and_huaweis_limits_are_shared_too(tmp_path: Path) -> None:
    """If this fails, a backfill and the recorder each ask Kore.ai or CC-CMS as often as both together may."""
    common = {"name": "x", "base_url": "https://api.example.com"}
    origin = Origin(environ=ENVIRON, pace_dir=tmp_path)
    ids = {"account_id": "a1", "app_id": "${USER}", "client_secret": "${USER}"}
    account = KoreConfig.model_validate({**common, "vendor": "kore", **ids}, context=origin)
    vdn = {"cc_id": 1, "vdn": 2, "access_key": "${USER}", "secret_key": "${USER}"}
    keys = {**common, "vendor": "huawei", "max_requests_per_minute": 100, "cms": vdn, "feeds": ["cms_status"]}
    aicc = HuaweiConfig.model_validate(keys, context=origin)
    assert aicc.cms is not None
    sessions: list[Session] = [kore.connect(account, lane) for lane in LANES]
    live, past = (each.options.pacer for each in sessions)
    assert isinstance(live, SharedPacer)
    assert isinstance(past, SharedPacer)
    assert (live._many, past._many) == (10, 40)
    history, status = cms.connect(aicc, aicc.cms).options.pacer, cms.cms_pacer(aicc, aicc.cms, "live")
    assert isinstance(history, SharedPacer)
    assert status
    assert (status._many, history._many) == (24, 76)
    assert len({pacer._path for pacer in (live, past, history, status)}) == 4


@given(
    sizes=st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0.5, 3.0, 20.0])), min_size=1, max_size=2),
    pauses=st.lists(st.tuples(st.integers(0, 2), st.floats(min_value=0, max_value=30)), max_size=40),
)
def test_no_bucket_lets_more_through_than_it_holds(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, float]], pauses: list[tuple[int, float]]
) -> None:
    """The vendor would refuse us in the end of an hour, or of a second."""
    path = tmp_path_factory.mktemp("pace") / "buckets"
    clock = Stepping()
    buckets = [Bucket(*size) for size in sizes]
    processes = [SharedBuckets(path, buckets, clock) for _ in range(3)]
    sent = []
    for which, pause in pauses:
        clock.at += pause
        processes[which].wait()
        sent.append(clock.at)
    for bucket in buckets:
        for first, moment in enumerate(sent):
            for last in range(first, len(sent)):
                assert last - first + 1 <= bucket.burst + (sent[last] - moment) / bucket.every + 1e-6


def test_buckets_slow_down_and_pause_for_all_who_share_them(tmp_path: Path) -> None:
    """Only the process that was told would obey."""
    clock = Stepping()
    one, other = (SharedBuckets(tmp_path / "buckets", [Bucket(5, 1.0)], clock) for _ in range(2))
    one.wait()
    one.slow(7.0, pause=20.0)
    other.wait()
    assert (clock.at, other.apart) == (1020.0, 7.0)
    other.slow(None)
    one.wait()
    assert clock.at == 1027.0
    other.slow(0.0)
    one.wait()
    assert (clock.at, one.apart) == (1027.0, 0.0)


@pytest.mark.parametrize("content", ["nonsense", "1 2", "nan nan nan nan", "9e9 0 9e9 9e9"])
def test_damaged_buckets_count_as_full(tmp_path: Path, content: str) -> None:
    """One bad byte, or a machine started anew, would stop the source for days."""
    (tmp_path / "buckets").write_text(f"{_this_boot()} {content}")
    clock = Stepping()
    pacer = SharedBuckets(tmp_path / "buckets", [Bucket(2, 10.0)], clock)
    for _ in range(3):
        pacer.wait()
    assert clock.at == 1010.0


def test_only_the_first_wait_for_our_own_limit_is_told_as_ours() -> None:
    """If this fails, a vendor that does not answer passes for our own limit, or our limit for its silence."""
    clock, tries, told = Stepping(0.0), list[float](), list[tuple[float, float]]()

    @contextmanager
    def hold() -> Iterator[None]:
        began = clock.at
        yield
        told.append((began, clock.at))

    def refuse(*_: object, **__: object) -> NoReturn:
        tries.append(clock.at)
        raise requests.ConnectionError

    context = copy_context()
    context.run(held_back.set, hold)
    options = Options(max_requests_per_minute=1, retry=Retry(tries=2, base=0.0))
    session = Session("cx", "http://127.0.0.1:9", options=options, clock=clock)
    with patch.object(requests.Session, "request", refuse):
        for _ in range(2):
            with pytest.raises(TransientError):
                context.run(session.get, "/")
    assert tries == [0.0, 60.0, 120.0, 180.0]
    assert told == [(0.0, 0.0), (60.0, 120.0)]
