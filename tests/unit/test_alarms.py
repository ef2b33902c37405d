"""The book of alarms: each incident is told once when it begins and once when it is over, whatever happens between."""

import errno
import logging
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.alarms import CALM, MOST_WAITING, Book, Delivery, Message, read_book, ring, turn
from orchestration.incidents import Incident
from orchestration.lake import Lake
from tests.watching import MINUTE, NOW

LOG = logging.getLogger(__name__)


def incident(key: str = "a", patience: timedelta = timedelta(0), *, ends: bool = True) -> Incident:
    """Something that is wrong."""
    return Incident(
        key=key, kind="not_fresh", subject=key, cause="stands still", next_step="look", patience=patience, ends=ends
    )


def told(book: Book, minutes: int, *present: Incident, undecided: tuple[str, ...] = ()) -> list[str]:
    """What is told after so many minutes."""
    messages = turn(book, present, NOW + minutes * MINUTE, undecided=undecided)
    return [f"{message.event} {message.incident}" for message in messages]


def test_each_incident_is_told_once_and_its_end_once() -> None:
    """If this fails, people are told again and again, or never that all is well."""
    book = Book()
    assert told(book, 0, incident()) == ["began a"]
    assert told(book, 1, incident(), incident("b")) == ["began b"]
    assert told(book, 2, incident("b")) == []
    assert told(book, 4, incident("b")) == ["over a"]
    assert told(book, 5) == []
    assert told(book, 7) == ["over b"]
    assert book == Book()
    assert told(book, 8, incident()) == ["began a"]


def test_a_flicker_is_neither_an_end_nor_a_beginning() -> None:
    """If this fails, a feed on the edge of its limit sends a message a minute."""
    book = Book()
    assert told(book, 0, incident()) == ["began a"]
    assert [told(book, n, *([incident()] if n % 2 else [])) for n in range(1, 20)] == [[]] * 19


def test_what_needs_patience_is_told_when_it_lasted() -> None:
    """If this fails, each restart of the recorder is an alarm, or its end is told though nobody knew of it."""
    book, short = Book(), incident(patience=2 * MINUTE)
    assert told(book, 0, short) == told(book, 1, short) == []
    assert told(book, 2) == told(book, 9) == []
    assert [told(book, n, short) for n in (10, 11, 12)] == [[], [], ["began a"]]


def test_what_is_lost_is_told_once_and_never_over() -> None:
    """If this fails, a week after a loss somebody is told that all is well again."""
    book, lost = Book(), incident(ends=False)
    assert told(book, 0, lost) == ["began a"]
    assert told(book, 1, lost) == told(book, 2) == told(book, 9) == []
    assert book == Book()


def test_a_loss_that_grows_is_told_in_all_when_it_stops() -> None:
    """If this fails, people hear of five minutes where four hours were lost."""
    book = Book()

    def lost(until: int) -> Incident:
        return Incident(key="l", kind="lost", subject="l", cause=f"{until} min lost", next_step="-", ends=False)

    assert told(book, 5, lost(5)) == ["began l"]
    assert [told(book, n, lost(n)) for n in range(6, 240)] == [[]] * 234
    assert [told(book, n, lost(239)) for n in range(240, 254)] == [[]] * 14
    [message] = turn(book, [lost(239)], NOW + 254 * MINUTE)
    assert (message.event, message.cause, message.next_step) == ("over", "239 min lost", None)
    assert message.text == "OVER lost: it grows no more. In all: 239 min lost"
    assert told(book, 300, lost(239)) == told(book, 999) == []
    assert book == Book()


def test_what_is_being_looked_at_is_neither_over_nor_new() -> None:
    """If this fails, a check that fails is over whenever it is run again."""
    book = Book()
    assert told(book, 0, incident()) == ["began a"]
    assert told(book, 9, undecided=("a",)) == told(book, 19, undecided=("a", "b")) == []
    assert told(book, 20, incident()) == []


@given(st.lists(st.frozensets(st.sampled_from("abc")), max_size=30))
def test_beginnings_and_ends_alternate(course: list[frozenset[str]]) -> None:
    """If this fails, some course of events tells of an end without a beginning, or of two beginnings."""
    book, open_ = Book(), set[str]()
    for n, keys in enumerate(course):
        for line in told(book, n, *map(incident, sorted(keys))):
            event, key = line.split()
            assert (key in open_) == (event == "over")
            open_ ^= {key}
        assert keys <= open_
    after = len(course) + CALM // MINUTE
    assert [told(book, n) for n in (len(course), after)][-1] == [f"over {key}" for key in book.open] or not book.open
    assert book == Book()


class Receiver:
    """Answers as it is told to, and remembers."""

    def __init__(self, *answers: Delivery) -> None:
        self.answers = list(answers)
        self.got: list[str] = []

    def deliver(self, message: Message) -> Delivery:
        """Take a message, or not."""
        answer = self.answers.pop(0) if self.answers else "delivered"
        if answer == "delivered":
            self.got.append(f"{message.event} {message.incident}")
        return answer


def rung(home: Path, receiver: Receiver, minutes: int, *present: Incident) -> Book:
    """Ring once."""
    lake = Lake(home / "lake")
    return ring(lake, home / "alarms.json", present, receiver.deliver, LOG, NOW + minutes * MINUTE)


def test_what_nobody_took_is_delivered_later_in_order(tmp_path: Path) -> None:
    """If this fails, an alarm is lost because the receiver was down with the rest."""
    receiver = Receiver("silent", "silent", "silent")
    assert len(rung(tmp_path, receiver, 0, incident(), incident("b")).outbox) == 2
    rung(tmp_path, receiver, 1)
    rung(tmp_path, receiver, 3)
    assert receiver.got == []
    rung(tmp_path, receiver, 4)
    assert receiver.got == ["began a", "began b", "over a", "over b"]


def test_one_message_that_is_refused_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """If this fails, one message that a receiver cannot digest silences all that follow."""
    receiver = Receiver("refused")
    rung(tmp_path, receiver, 0, incident(), incident("b"))
    assert receiver.got == ["began b"]
    rung(tmp_path, receiver, 1, incident(), incident("b"))
    assert receiver.got == ["began b", "began a"]


def test_a_tick_that_is_cut_short_tells_nobody_twice_and_loses_nothing(tmp_path: Path) -> None:
    """If this fails, a restart in the wrong moment repeats alarms or swallows them."""
    receiver = Receiver()

    class CutShortError(Exception):
        pass

    def dying(message: Message) -> Delivery:
        if message.incident == "b":
            raise CutShortError
        return receiver.deliver(message)

    lake, path = Lake(tmp_path / "lake"), tmp_path / "alarms.json"
    every = [incident(key) for key in "abc"]
    with pytest.raises(CutShortError):
        ring(lake, path, every, dying, LOG, NOW)
    assert receiver.got == ["began a"]
    rung(tmp_path, receiver, 1, *every)
    assert Counter(receiver.got) == Counter(["began a", "began b", "began c"])


def test_without_a_webhook_the_log_has_it_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, whoever has no webhook learns nothing, or one set up later hears of last month."""
    for minutes, present in ((0, [incident()]), (1, []), (5, [])):
        book = ring(Lake(tmp_path / "lake"), tmp_path / "alarms.json", present, None, LOG, NOW + minutes * MINUTE)
    assert caplog.messages == [
        "ALARM not_fresh: stands still. Next: look",
        "OVER not_fresh: a is well again after 1 min.",
    ]
    assert book.outbox == []


def test_a_full_disk_silences_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, nobody is told that the disk is full, or each minute anew."""
    receiver = Receiver()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "place", full)
        rung(tmp_path, receiver, 0, incident())
        rung(tmp_path, receiver, 1, incident())
    assert receiver.got == ["began a"]
    assert caplog.messages.count("ALARM not_fresh: stands still. Next: look") == 1
    rung(tmp_path, receiver, 2, incident())
    assert read_book(tmp_path / "alarms.json", LOG).open["a"].is_told
    assert receiver.got == ["began a"]


def test_a_receiver_that_refuses_everything_is_not_plied_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, a webhook that was revoked makes the book grow, and each minute longer."""
    tried: list[str] = []

    def refusing(message: Message) -> Delivery:
        tried.append(message.incident)
        return "refused"

    lake, path = Lake(tmp_path / "lake"), tmp_path / "alarms.json"
    every = [incident(str(n)) for n in range(MOST_WAITING + 7)]
    book = ring(lake, path, every, refusing, LOG, NOW)
    assert len(book.outbox) == MOST_WAITING
    assert "7 alarms that nobody took are not tried again" in caplog.text
    first = list(tried)
    assert len(first) <= 5
    ring(lake, path, every, refusing, LOG, NOW + MINUTE)
    assert not set(tried[len(first) :]) & set(first)


def test_a_book_that_cannot_be_read_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, a damaged file silences all alarms for good."""
    path = tmp_path / "alarms.json"
    path.write_bytes(b'{"open": {"a"')
    assert read_book(path, LOG) == Book()
    assert "told of once more" in caplog.text
    receiver = Receiver()
    rung(tmp_path, receiver, 0, incident())
    assert receiver.got == ["began a"]
    assert read_book(path, LOG).open["a"].is_told
