"""How much of the truth a vendor shows, and whether a recorded state was true within its uncertainty."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.demo_truth import DAY, HOUR, SECOND, VIEWS, Stay, Stretch, Truth, View
from simulator.truth import INTERACTIONS, STATES, TRANSFERS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT = int(NOON.timestamp()) * SECOND


def written(folder: Path, *states: dict[str, object]) -> Path:
    """A truth of one agent whose states follow each other, each 1.5 s long, with one transfer to a stranger."""
    rows = [
        {"agent_id": "one", "work_items": 0, **state, "started_at": NOON + timedelta(seconds=1.5 * place),
         "ended_at": NOON + timedelta(seconds=1.5 * (place + 1))}
        for place, state in enumerate(states)
    ]  # fmt: skip
    moved = {"interaction_id": "a-b", "from_agent_id": "one", "to_agent_id": "two",
             "started_at": NOON + timedelta(seconds=0.7), "completed_at": NOON + timedelta(seconds=9.9),
             "hop": 1, "is_return": False}  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, STATES), folder / "agent_states.parquet")
    joined = {"interaction_id": "a-b", "agent_id": "one", "joined_at": NOON + timedelta(seconds=0.7),
              "left_at": NOON + timedelta(seconds=9.9)}  # fmt: skip
    for name, schema, found in (
        ("transfers", TRANSFERS, [moved]),
        ("interactions", INTERACTIONS, [joined, {**joined, "left_at": None}]),
    ):
        pq.write_table(pa.Table.from_pylist(found, schema), folder / f"{name}.parquet")
    return folder


def test_times_are_as_coarse_as_the_vendors(tmp_path: Path) -> None:
    """A vendor that rounds to seconds would be called wrong."""
    folder = written(tmp_path, {"state": "available"}, {"state": "handling", "work_items": 2})
    truth = Truth.read(folder, VIEWS["huawei"], {"one": "101"})
    assert truth.sums([NOON.date()]) == {
        (NOON.date(), "101", "available"): (SECOND, 0),
        (NOON.date(), "101", "handling"): (2 * SECOND, 4 * SECOND),
    }


@pytest.mark.parametrize(
    ("vendor", "row", "shown"),
    [
        ("cxengage", {"state": "wrap_up"}, "wrap_up"),
        ("beyondtrust", {"state": "wrap_up"}, "not_ready"),
        ("kore", {"state": "handling", "is_ready": True}, "available"),
        ("kore", {"state": "handling", "is_ready": False}, "not_ready"),
        ("kore", {"state": "handling", "is_ready": False, "reason": "After Call Work"}, "wrap_up"),
        ("kore", {"state": "offline"}, "offline"),
    ],
)
def test_a_vendor_shows_what_it_can_tell(vendor: str, row: dict[str, object], shown: str, tmp_path: Path) -> None:
    """A vendor would be called wrong for what it never claims to know."""
    truth = Truth.read(written(tmp_path, row), VIEWS[vendor], {"one": "1"})
    assert [one.state for one in truth.stretches["1"]] == [shown]


def test_transfers_are_told_as_the_vendor_tells_them(tmp_path: Path) -> None:
    """Transfers to people on other platforms would be called wrong, or those of other vendors' agents missed."""
    folder = written(tmp_path, {"state": "available"})
    [everything] = Truth.read(folder, VIEWS["cxengage"], None).transfers
    assert (everything.receiver, everything.interaction, everything.hop) == ("two", "a-b", 1)
    [queued] = Truth.read(folder, VIEWS["beyondtrust"], {"one": "2"}).transfers
    assert (queued.receiver, queued.start, queued.end, queued.interaction) == (None, AT, AT, "ab")
    assert Truth.read(folder, VIEWS["kore"], {"one": "2"}).transfers == []
    assert Truth.read(folder, VIEWS["huawei"], {"two": "102"}).transfers == []


def test_who_took_part_is_told_as_the_vendor_tells_it(tmp_path: Path) -> None:
    """Sessions that a vendor names otherwise, or does not name, would be called wrong."""
    folder = written(tmp_path, {"state": "available"})
    ends = [AT + 9 * SECOND, None]
    assert Truth.read(folder, VIEWS["beyondtrust"], {"one": "2"}).stays == [Stay("2", "ab", AT, end) for end in ends]
    assert Truth.read(folder, VIEWS["huawei"], {"one": "3"}).stays == [Stay("3", None, AT, end) for end in ends]
    assert Truth.read(folder, VIEWS["huawei"], {"two": "3"}).stays == []
    assert Truth.read(folder, VIEWS["kore"], {"one": "2"}).stays == []


def test_a_night_counts_for_both_days() -> None:
    """A shift over midnight would be missed on one of the days."""
    night = Stretch("one", AT + DAY // 4, AT + DAY, "available", 1)
    sums = Truth(View(), {"one": [night]}, []).sums([NOON.date(), NOON.date() + timedelta(days=1)])
    assert sums == {
        (date(2026, 3, 2), "one", "available"): (DAY // 4, DAY // 4),
        (date(2026, 3, 3), "one", "available"): (DAY // 2, DAY // 2),
    }


def test_who_was_there_all_along_must_be_seen() -> None:
    """A recorder that misses somebody who was there would be called right."""
    day = [Stretch("one", 10, 20, "available", 0), Stretch("one", 20, 30, "offline", 0)]
    truth = Truth(View(), {"one": day, "two": [Stretch("two", 0, 40, "handling", 1)]}, [])
    assert truth.signed_in(12, 18) == {"one", "two"}
    assert truth.signed_in(5, 18) == truth.signed_in(15, 25) == {"two"}


EDGES = st.lists(st.integers(0, 60), min_size=3, max_size=6, unique=True).map(sorted)


@given(EDGES, st.integers(0, 60), st.integers(1, 20), st.integers(0, 10), st.sampled_from(["a", "b", "offline"]))
def test_true_within_the_uncertainty(edges: list[int], start: int, length: int, slack: int, state: str) -> None:
    """The demo would forgive a wrong state, or call one wrong that its stated uncertainty allows."""
    found = [Stretch("x", s, e, "ab"[n % 2], 0) for n, (s, e) in enumerate(pairwise(edges))]

    def true_at(moment: int) -> str | None:
        if moment < edges[0]:
            return "offline"
        return next((one.state for one in found if one.start <= moment < one.end), None)

    # Half-open stretches in whole units: an instant is the unit that begins there.
    expected = all(
        any(true_at(moment) == state for moment in range(at - slack, at + slack + 1))
        for at in range(start, start + length)
    )
    assert Truth(View(), {"x": found}, []).holds("x", state, start, start + length, slack) == expected


@pytest.mark.parametrize(
    ("look", "unseen", "left"),
    [
        # Ended after 20 hours, and told of for 2.5 more.
        (HOUR * 20, (0, 20), [(0, 20)]),
        (HOUR * 22, (0, 20), [(0, 20)]),
        (HOUR * 19, (0, 20), []),
        (HOUR * 23, (0, 20), []),
        # What we tell of all the same is to be true.
        (HOUR * 23, (4, 12), [(0, 4), (12, 20)]),
        (HOUR * 23, (30, 40), [(0, 20)]),
    ],
)
def test_only_what_nobody_could_be_told_may_be_unobserved(
    look: int, unseen: tuple[int, int], left: list[tuple[int, int]]
) -> None:
    """If this fails, the demo calls a gap of ours right, or one that no vendor would fill wrong."""
    truth = Truth(VIEWS["huawei"], {"one": [Stretch("one", AT, AT + 20 * HOUR, "available", 0)]}, [])
    start, end = (AT + hour * HOUR for hour in unseen)
    told = truth.told([AT + look], [("one", start, end), ("two", start, end)])
    assert told.stretches["one"] == [
        Stretch("one", AT + begun * HOUR, AT + ended * HOUR, "available", 0) for begun, ended in left
    ]


def test_who_forgets_nothing_has_no_excuse() -> None:
    """If this fails, whatever we lose of the other vendors' days is called right."""
    truth = Truth(VIEWS["cxengage"], {"one": [Stretch("one", AT, AT + 20 * HOUR, "available", 0)]}, [])
    assert truth.told([], [("one", AT, AT + 20 * HOUR)]) == truth
