"""The spool: whatever happens to a file's end, what was written whole before it comes back, in order."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lake import Page
from orchestration.spool import (
    MAGIC,
    Alive,
    Began,
    Ended,
    Event,
    Lost,
    Said,
    Spooled,
    UnreadableSpoolError,
    Watching,
    frame,
    read,
)
from orchestration.stretches import NOT_YET, Piece, pieces

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
BEGAN = Began("toy", "one", "words", NOON, watching=False)
# Close to midnight, so that many stretches cross it; out of order, as clocks that are set make them.
moments = st.integers(0, 100_000).map(lambda seconds: NOON + timedelta(seconds=seconds, microseconds=seconds * 7))
said = st.builds(Said, moments, moments, st.just("GET /x"), st.just(200), st.none() | st.text(max_size=5), st.binary())
alive = st.builds(Alive, moments, st.none() | moments)
watching = st.builds(Watching, moments, st.none() | moments)
lost = st.builds(Lost, moments, st.sampled_from(["gone", "refused"]))
events = st.lists(said | alive | watching | lost, max_size=30)
begans = st.builds(Began, st.just("v"), st.just("s"), st.just("f"), moments, st.booleans(), st.none() | st.just("gone"))


def written(began: Began, happened: list[Event]) -> bytes:
    """A file that holds these events."""
    return MAGIC + frame(began) + b"".join(map(frame, happened))


@given(events)
def test_what_was_written_is_read(happened: list[Event]) -> None:
    """If this fails, a message changes on its way through the spool."""
    assert read(written(BEGAN, happened)) == Spooled(BEGAN, tuple(happened))


@given(events, st.data())
def test_a_torn_end_costs_only_the_frame_that_it_tears(happened: list[Event], data: st.DataObject) -> None:
    """If this fails, a power cut costs messages that were on disk long before it."""
    whole = written(BEGAN, happened)
    ends = [len(written(BEGAN, happened[:count])) for count in range(len(happened) + 1)]
    cut = data.draw(st.integers(ends[0], len(whole)))
    found = read(whole[:cut])
    kept = sum(end <= cut for end in ends) - 1
    assert found.events == tuple(happened[:kept])
    assert found.torn == whole[ends[kept] : cut]


@given(events, st.binary(min_size=1, max_size=40))
def test_rubbish_at_the_end_is_handed_back(happened: list[Event], rubbish: bytes) -> None:
    """If this fails, what a broken disk made of the last block hides or alters what stands before it."""
    found = read(written(BEGAN, happened) + rubbish)
    assert found.events[: len(happened)] == tuple(happened)
    assert found.torn == rubbish or len(found.events) > len(happened)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(rubbish: bytes) -> None:
    """If this fails, one blotted file stops the recovery of all others."""
    for data in (rubbish, MAGIC + rubbish):
        with pytest.raises(UnreadableSpoolError):
            read(data)


@given(begans, events, st.none() | moments)
def test_every_message_is_in_one_piece_in_order_and_pieces_join(
    began: Began, happened: list[Event], end: datetime | None
) -> None:
    """If this fails, messages are lost or counted twice when a file is sealed, or time is claimed twice."""
    found = pieces(Spooled(began, (*happened, *([Ended(end)] if end else []))))
    pages = [event.page() for event in happened if isinstance(event, Said)]
    assert sorted(map(key, (page for piece in found for page in piece.pages))) == sorted(map(key, pages))
    for piece in found:
        assert piece.start < piece.end
        assert piece.start.date() == (piece.end - timedelta(microseconds=1)).date()
    for before, after in pairwise(found):
        assert before.end <= after.start


def key(page: Page) -> tuple[datetime, datetime, bytes]:
    """What tells pages apart well enough."""
    return page.received_at, page.requested_at, page.payload


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def word(seconds: float, payload: bytes = b"x") -> Said:
    """A message."""
    return Said(NOON, at(seconds), "GET /x", 200, None, payload)


def seen(began: Began, *happened: Event) -> list[tuple[float, float, int, str | None]]:
    """Pieces as seconds after noon, number of messages, and reason."""
    return [
        ((piece.start - NOON).total_seconds(), (piece.end - NOON).total_seconds(), len(piece.pages), piece.reason)
        for piece in pieces(Spooled(began, happened))
    ]


def test_a_stretch_ends_with_its_last_evidence() -> None:
    """If this fails, a recorder that was killed claims to have watched until it was."""
    assert seen(BEGAN, Watching(at(1)), word(5), word(9)) == [(1, 9, 2, None)]
    assert seen(BEGAN, Watching(at(1)), word(5), Alive(at(30)), Ended(at(99))) == [(1, 30, 1, None)]


def test_a_lost_connection_is_a_gap_with_its_reason() -> None:
    """If this fails, time when nobody listened looks like a quiet centre."""
    happened: list[Event] = [Watching(at(1)), word(5), Lost(at(6), "gone"), Lost(at(8), "gone")]
    happened += [Watching(at(10)), word(11)]
    assert seen(BEGAN, *happened) == [(1, 6, 1, None), (6, 10, 0, "gone"), (10, 11, 1, None)]


def test_each_change_of_the_reason_is_told() -> None:
    """If this fails, a source whose password expired during an outage still shows the outage."""
    found = seen(BEGAN, Lost(at(2), "gone"), Lost(at(4), "refused"), Ended(at(9)))
    assert found == [(0, 4, 0, "gone"), (4, 9, 0, "refused")]


def test_the_first_connection_is_owed_to_nobody_unless_it_does_not_come() -> None:
    """If this fails, each first start begins with a gap, or a source that never answers has none."""
    assert seen(BEGAN, Watching(at(3)), word(4)) == [(3, 4, 1, None)]
    assert seen(BEGAN, Ended(at(300))) == [(0, 300, 0, NOT_YET)]
    assert seen(BEGAN) == []


def test_what_was_received_outside_of_a_stretch_is_kept() -> None:
    """If this fails, the answers that explain an outage are thrown away."""
    began = Began("v", "s", "f", NOON, watching=False, reason="gone")
    assert seen(began, word(2), Watching(at(3)), word(4)) == [(0, 3, 1, "gone"), (3, 4, 1, None)]
    assert seen(BEGAN, word(2), Watching(at(3)), word(4)) == [(3, 4, 2, None)]


def test_a_message_that_came_while_watching_began_belongs_to_the_stretch() -> None:
    """A full copy arrives before the client knows that it is one; if this fails, a stretch lacks its beginning."""
    began = Began("v", "s", "f", NOON, watching=False, reason="gone")
    assert seen(began, word(2), word(5), Watching(at(4)), word(6)) == [(0, 4, 1, "gone"), (4, 6, 2, None)]


def test_a_stretch_is_cut_at_midnight() -> None:
    """If this fails, a segment lies in a day that it does not belong to."""
    began = Began("v", "s", "f", NOON, watching=True)
    midnight = 12 * 3600
    assert seen(began, word(midnight - 1), word(midnight), word(midnight + 5)) == [
        (0, midnight, 1, None),
        (midnight, midnight + 5, 2, None),
    ]


def test_a_gap_of_years_is_cut_into_days() -> None:
    """If this fails, a recorder that was switched off for long cannot start again."""
    began = Began("v", "s", "f", NOON, watching=False, reason="off")
    found = pieces(Spooled(began, (Ended(NOON + timedelta(days=2000)),)))
    assert len(found) == 2001
    assert isinstance(found[0], Piece)
