"""Properties of the simulated appliance that must hold for any seed, instant, cut, dialect and restart."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections import Counter
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.beyondtrust_dialect import SUBPROTOCOL, Account, Dialect
from simulator.beyondtrust_facts import Ref
from simulator.beyondtrust_gate import Tokens
from simulator.beyondtrust_live import Connection, Feed, frames
from simulator.beyondtrust_model import Model, Restarts, Teller
from simulator.beyondtrust_site import Site
from simulator.centre import Centre
from simulator.facts import DAY, HOUR, MINUTE, SECOND, millis

FIRST = date(2026, 3, 2)
BEGIN = millis(datetime(2026, 3, 2, tzinfo=UTC))
QUICK = settings(max_examples=50, deadline=None)
Tables = dict[str, dict[str, dict[str, Any]]]

instants = st.integers(BEGIN, BEGIN + 2 * DAY - MINUTE)
steps = st.lists(st.integers(0, HOUR), min_size=1, max_size=4)
held_queues = st.builds(Dialect, held_queue=st.sampled_from(["representative", "none", "kept"]))
tellings = st.builds(
    Dialect,
    handshake=st.just("ns01"),
    update_rows=st.sampled_from(["partial", "whole"]),
    full_copy=st.sampled_from(["one", "per_table"]),
)
framings = st.builds(Dialect, framing=st.sampled_from(["message", "packed", "split", "random"]))


@cache
def centre() -> Centre:
    """Play a small centre once."""
    return Centre.simulate(31, 14, FIRST, 2)


@cache
def model(dialect: Dialect, share: int = 1) -> Model:
    """Read that centre once per dialect, for every agent or for each so manieth."""
    agents = [agent.agent_id for agent in centre().agents if agent.number % share == 0]
    return Model(Site.of(centre(), agents), dialect, 31)


def held(dialect: Dialect, now: int, restarts: Restarts | None = None) -> Tables:
    """Return the whole model of an instant as the feed tells it."""
    found = model(dialect)
    lifetime = (restarts or Restarts(BEGIN)).at(now)
    return Teller(found, lifetime, archive=False).copy(found.rows_at(now))


class Follower:
    """A reader of the feed without a socket, on a clock of its own."""

    def __init__(self, dialect: Dialect, restarts: Restarts | None = None) -> None:
        """Open a connection at the opening of the appliance."""
        self.now = BEGIN
        self.tokens = Tokens(Account.of(31), 31)
        self.restarts = restarts or Restarts(BEGIN)
        self.feed = Feed(model(dialect), self.restarts, self.tokens, lambda: self.now)
        self.connection = Connection(self.feed)
        self.tables: Tables = {}
        self.words: list[dict[str, Any]] = []

    def enter(self, account: Account | None = None) -> None:
        """Go through the phases with the account's password, as the old handshake allows."""
        known = account or self.tokens.account
        credentials = {"username": known.username, "password": known.password}
        self.connection.hear(f"NS01{known.company}\n{SUBPROTOCOL}\n".encode())
        for message in (
            {"type": "authenticate", "credentials": credentials},
            {"type": "subscribe", "tables": "all"},
        ):
            self.connection.hear(json.dumps(message).encode() + b"\n")

    def read(self, now: int) -> None:
        """Carry out all that is due by an instant."""
        self.now = now
        for line in self.connection.due():
            if line.startswith(b"{"):
                self.follow(json.loads(line))

    def follow(self, message: dict[str, Any]) -> None:
        """Carry out one message on the tables."""
        self.words.append(message)
        if message.get("type") == "truncate_model":
            self.tables = {}
        for table, rows in message.get("insert", {}).items():
            assert not set(rows) & set(self.tables.get(table, {}))
            self.tables.setdefault(table, {}).update(rows)
        for table, rows in message.get("update", {}).items():
            for name, columns in rows.items():
                self.tables[table][name] = self.tables[table][name] | columns
        for table, names in message.get("delete", {}).items():
            for name in names:
                del self.tables[table][name]


def old(**knobs: Any) -> Dialect:
    """Return a dialect whose handshake takes a password, so that no token runs out."""
    return Dialect(handshake="ns01", **knobs)


@QUICK
@given(st.lists(st.binary(max_size=300).map(lambda line: line + b"\n"), max_size=8), framings, st.integers())
def test_frames_put_together_are_the_messages(messages: list[bytes], dialect: Dialect, seed: int) -> None:
    """If this failed, some framing would lose or invent bytes."""
    cut = list(frames(messages, dialect, random.Random(seed)))
    assert b"".join(cut) == b"".join(messages)
    assert all(cut)


@QUICK
@given(instants, steps, st.lists(st.integers(0, HOUR), max_size=2), tellings)
def test_following_the_feed_gives_the_model(now: int, times: list[int], restarts: list[int], dialect: Dialect) -> None:
    """If this failed, a full copy and the changes after it would not be the state, restarts or not."""
    started = Restarts(BEGIN)
    for after in restarts:
        started.add(now + after)
    follower = Follower(dialect, started)
    follower.enter()
    for step in sorted(times):
        follower.read(now + step)
        told = {table: found for table, found in follower.tables.items() if found}
        assert told == held(dialect, now + step, started)


@QUICK
@given(instants, steps, st.sampled_from([1, 20, 60]))
def test_latency_holds_back_at_most_its_length(now: int, times: list[int], seconds: int) -> None:
    """If this failed, an update would come too late, too early, twice or never."""
    dialect = old(latency_seconds=seconds)
    found = model(dialect)
    follower = Follower(dialect)
    follower.enter()
    teller = Teller(found, (BEGIN, 0), archive=False)
    for step in sorted(times):
        follower.read(now + step)
        # What was there when the appliance started is never late: the full copy is as of then at least.
        position = max(bisect_right(found.told, now + step), bisect_right(found.times, BEGIN))
        told = {table: rows for table, rows in follower.tables.items() if rows}
        assert told == teller.copy(found.rows(position))
        assert bisect_right(found.times, now + step - seconds * SECOND) <= position
        assert position <= bisect_right(found.times, now + step)


@QUICK
@given(st.lists(st.integers(1, 40), max_size=8))
def test_the_readers_words_may_come_in_any_cut(cuts: list[int]) -> None:
    """If this failed, a client's way of sending would decide whether it gets in."""
    whole = Follower(old())
    whole.enter()
    account = whole.tokens.account
    credentials = {"username": account.username, "password": account.password}
    words = f"NS01{account.company}\n{SUBPROTOCOL}\n".encode()
    words += json.dumps({"type": "authenticate", "credentials": credentials}).encode() + b"\n"
    words += b'{"type":"subscribe","tables":"all"}\n'
    pieces = Follower(old())
    for cut in cuts:
        pieces.connection.hear(words[:cut])
        words = words[cut:]
    pieces.connection.hear(words)
    assert list(pieces.connection.due()) == list(whole.connection.due())
    assert pieces.connection.phase == "receiving"


@QUICK
@given(st.lists(st.binary(max_size=80) | st.just(b"\n"), max_size=6))
def test_no_words_of_a_reader_break_the_feed(words: list[bytes]) -> None:
    """If this failed, a broken client would break the simulator."""
    for dialect in (old(), Dialect()):
        follower = Follower(dialect)
        for word in words:
            follower.connection.hear(word)
            follower.read(BEGIN)
        assert follower.tables == {}


@QUICK
@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3)))
def test_no_message_of_a_stranger_lets_it_in(value: object) -> None:
    """If this failed, there would be a way around the token."""
    for message in ({"type": "authenticate", "credentials": value}, {"type": value}, value):
        follower = Follower(Dialect())
        follower.connection.hear(json.dumps(message).encode() + b"\n")
        assert follower.connection.phase == "over"


@QUICK
@given(instants, held_queues, st.sampled_from([1, 2, 3]))
def test_references_lead_to_rows_that_are_there(now: int, dialect: Dialect, share: int) -> None:
    """If this failed, a join over the model would lose rows."""
    rows = model(dialect, share).rows_at(now)
    for row in rows.values():
        for value in row.values():
            assert not isinstance(value, Ref) or (value.table, value.key) in rows


@QUICK
@given(instants, st.sampled_from([1, 2, 3]))
def test_the_model_tells_the_truth(now: int, share: int) -> None:
    """If this failed, model and truth would disagree on who is signed in and in which sessions."""
    rows = model(Dialect(), share).rows_at(now)
    agents = {agent.agent_id: agent for agent in centre().agents if agent.number % share == 0}
    users = {agent.number + 2 for agent in agents.values()}
    stays = [stay for agent in agents.values() for stay in centre().sessions[agent.number]]
    signed_in = {
        stay.agent.number + 2: stay.started // SECOND
        for stay in stays
        if stay.started <= now and (stay.ended is None or stay.ended > now)
    }
    told = {row["user_id"]: row["created_timestamp"] for place, row in rows.items() if place[0] == "representative"}
    assert told == signed_in
    assert set(told) <= users
    parts = Counter(
        (part.interaction_id.replace("-", ""), part.agent.number + 2)
        for part in centre().participations
        if part.agent.agent_id in agents and part.joined <= now and (part.left is None or part.left > now)
    )
    assert parts == Counter(
        (rows[row_ref(row, "support_session_id")]["lsid"], rows[row_ref(row, "representative_id")]["user_id"])
        for place, row in rows.items()
        if place[0] == "representative_support_session"
    )


def row_ref(row: dict[str, object], column: str) -> tuple[str, str]:
    """Return the place that a reference leads to."""
    value = row[column]
    assert isinstance(value, Ref)
    return value.table, value.key


@QUICK
@given(instants, st.sampled_from([0.0, 60.0, 900.0]))
def test_the_four_flags_say_what_people_do(now: int, idle: float) -> None:
    """If this failed, flags and presence would contradict each other."""
    rows = model(Dialect(idle_seconds=idle)).rows_at(now)
    by_user = {agent.number + 2: agent for agent in centre().agents}
    for place, row in rows.items():
        if place[0] != "representative":
            continue
        agent = by_user[int(str(row["user_id"]))]
        said = [presence for presence in centre().presences[agent.number] if presence.at <= now][-1]
        live = sum(
            part.agent is agent and part.joined <= now and (part.left is None or part.left > now)
            for part in centre().participations
        )
        name = None if said.reason is None else said.reason.name
        away = name in {"Break", "Lunch", "Personal"}
        enabled, is_idle, busy = (bool(row[f"routing_{flag}"]) for flag in ("enabled", "idle", "busy"))
        assert enabled == (said.ready or away)
        assert busy == (live >= agent.capacity)
        assert row["routing_available"] == int(enabled and not is_idle and not busy)
        assert not is_idle or (away and live == 0 and now - said.at >= idle * SECOND)
        if idle == 0 and away and live == 0:
            assert is_idle


@QUICK
@given(st.sampled_from([1, 2, 3]), held_queues)
def test_sessions_change_hands_only_by_way_of_queues_and_stays(share: int, dialect: Dialect) -> None:
    """If this failed, a transfer could not be seen in the feed."""
    found = model(dialect, share)
    agents = {agent.agent_id for agent in centre().agents if agent.number % share == 0}
    moves: Counter[str] = Counter()
    for entry in found.entries:
        for place, columns in entry.updates.items():
            moves[place[1]] += place[0] == "support_session" and columns.get("queue_id") is not None
    for hand in centre().transfers:
        if hand.sender.agent_id in agents and hand.completed is not None:
            assert moves[hand.interaction_id] >= 1


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 15))
def test_a_longer_simulation_tells_the_same_of_its_first_day(seed: int, agents: int) -> None:
    """If this failed, a demo that runs on would contradict what it has already told."""
    until = BEGIN + DAY - 2 * HOUR
    short, long = (Model(Site.of(Centre.simulate(seed, agents, FIRST, days), None), Dialect(), 1) for days in (1, 2))
    assert short.rows_at(until) == long.rows_at(until)
    assert [entry.at for entry in short.entries if entry.at < until] == [at for at in long.times if at < until]
