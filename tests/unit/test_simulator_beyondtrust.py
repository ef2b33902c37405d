"""The small parts of the simulated BeyondTrust appliance: tokens, limits, restarts, windows, XML."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, date, datetime
from typing import Literal

import pytest

from simulator.beyondtrust_dialect import Account, Dialect
from simulator.beyondtrust_gate import Limits, Tokens
from simulator.beyondtrust_model import Restarts
from simulator.beyondtrust_people import representative_of
from simulator.beyondtrust_reports import window_of
from simulator.beyondtrust_session_xml import SessionWriter
from simulator.beyondtrust_sessions import lsid_of
from simulator.beyondtrust_site import Site, entries_of
from simulator.beyondtrust_xml import error, length_text, nothing, tag, time_text
from simulator.centre import Centre
from simulator.facts import DAY, HOUR, MINUTE, SECOND, millis
from simulator.floor import Habits
from simulator.people import hire
from simulator.wire import Request

NOW = millis(datetime(2026, 3, 3, 12, tzinfo=UTC))
FORM = {"content-type": "application/x-www-form-urlencoded"}


def basic(account: Account) -> dict[str, str]:
    """Return the header that an account authenticates with."""
    secret = base64.b64encode(f"{account.client_id}:{account.client_secret}".encode()).decode()
    return {"authorization": f"Basic {secret}"}


def issue(tokens: Tokens, dialect: Dialect, now: int = NOW) -> str:
    """Have a token issued."""
    request = Request("POST", "/oauth2/token", "", basic(tokens.account) | FORM, b"grant_type=client_credentials")
    return str(json.loads(tokens.answer(request, dialect, now).body)["access_token"])


def test_a_token_lives_as_long_as_it_says() -> None:
    """If this failed, a client that obeys `expires_in` would be refused, or never renew."""
    tokens, dialect = Tokens(Account.of(1), 1), Dialect(token_seconds=1799)
    token = issue(tokens, dialect)
    assert tokens.valid(token, NOW + 1799 * SECOND - 1)
    assert not tokens.valid(token, NOW + 1799 * SECOND)
    assert not tokens.valid("never issued", NOW)


def test_the_31st_token_ends_the_oldest() -> None:
    """If this failed, a client that asks for a token per call would never notice the cap."""
    tokens = Tokens(Account.of(1), 1)
    held = [issue(tokens, Dialect()) for _ in range(31)]
    assert [tokens.valid(token, NOW) for token in held] == [False] + [True] * 30


def test_expired_tokens_make_room() -> None:
    """If this failed, tokens long dead would push out live ones."""
    tokens = Tokens(Account.of(1), 1)
    for _ in range(30):
        issue(tokens, Dialect())
    later = NOW + 2 * HOUR
    first, second = issue(tokens, Dialect(), later), issue(tokens, Dialect(), later)
    assert tokens.valid(first, later)
    assert tokens.valid(second, later)


def test_a_new_secret_ends_all_tokens() -> None:
    """If this failed, a leaked secret could not be made harmless."""
    tokens = Tokens(Account.of(1), 1)
    token, before = issue(tokens, Dialect()), tokens.account
    tokens.rotate_secret()
    assert not tokens.valid(token, NOW)
    assert tokens.account.client_secret != before.client_secret
    assert tokens.account.client_id == before.client_id


def test_twenty_requests_pass_in_a_second_and_no_more() -> None:
    """If this failed, a client that floods the appliance would go unpunished."""
    now = 100.0
    limits = Limits(lambda: now)
    assert [limits.ask(Dialect()).passes for _ in range(22)] == [True] * 20 + [False] * 2
    now += 1.0
    assert limits.ask(Dialect()).passes


def test_the_hour_has_its_own_limit_and_says_what_is_left() -> None:
    """If this failed, a long backfill would meet no limit."""
    now = 0.0
    limits, dialect = Limits(lambda: now), Dialect(requests_per_hour=3)
    told = []
    for _ in range(4):
        now += 2.0
        verdict = limits.ask(dialect)
        told.append((verdict.passes, dict(verdict.headers)["X-RateLimit-Remaining"]))
    assert told == [(True, "2"), (True, "1"), (True, "0"), (False, "0")]
    now += 3600.0
    assert limits.ask(dialect).passes
    assert dict(limits.ask(dialect).headers)["X-RateLimit-Limit"] == "3"


def test_restarts_are_kept_apart_even_in_one_instant() -> None:
    """If this failed, two restarts of a standing clock would look like one."""
    restarts = Restarts(0)
    first, second = restarts.add(NOW), restarts.add(NOW)
    assert first != second
    assert restarts.at(NOW - 1) == (0, 0)
    assert restarts.at(NOW) == second
    assert restarts.after((0, 0), NOW) == first
    assert restarts.after(first, NOW) == second
    assert restarts.after(second, NOW) is None
    assert restarts.after((0, 0), NOW - 1) is None


@pytest.mark.parametrize(
    ("given", "begin", "end", "ended"),
    [
        ({"start_time": "1772539200", "duration": "60"}, NOW, NOW + MINUTE, False),
        ({"end_time": "1772539200", "duration": "60"}, NOW, NOW + MINUTE, True),
        ({"start_time": "1772535600", "duration": "0"}, NOW - HOUR, NOW + 1, False),
        ({"start_time": "1772535600"}, NOW - HOUR, NOW + 1, False),
        ({"start_date": "2026-03-02", "duration": "1"}, NOW - DAY - DAY // 2, NOW - DAY // 2, False),
        ({"end_date": "2026-03-03", "duration": "0"}, NOW - DAY // 2, NOW + 1, True),
    ],
)
def test_windows_are_in_seconds_or_in_days(given: dict[str, str], begin: int, end: int, *, ended: bool) -> None:
    """If this failed, a report would be about another stretch than the documents say."""
    window = window_of(given, NOW, 0)
    assert (window.begin, window.end, window.ended) == (begin, end, ended)


@pytest.mark.parametrize("given", [{}, {"duration": "60"}, {"start_time": "noon"}, {"start_date": "3 March"}])
def test_a_report_without_a_window_is_an_error(given: dict[str, str]) -> None:
    """If this failed, a client's mistake would fetch everything or nothing."""
    with pytest.raises(ValueError, match=r".*"):
        window_of(given, NOW, 0)


def test_a_sites_days_begin_at_its_own_midnight() -> None:
    """If this failed, the open question whose midnight it is could not be played through."""
    assert window_of({"start_date": "2026-03-03", "duration": "1"}, NOW, 120).begin == NOW - DAY // 2 - 2 * HOUR


def test_xml_is_escaped_and_times_say_their_offset() -> None:
    """If this failed, a name with an ampersand would break every reader."""
    assert tag("a", "x < y & z", b='"') == '<a b="&quot;">x &lt; y &amp; z</a>'
    assert tag("a", tag("b")) == "<a><b/></a>"
    assert time_text(NOW + 999, Dialect()) == "2026-03-03T12:00:00+00:00"
    assert time_text(NOW, Dialect(site_minutes_east=-210)) == "2026-03-03T08:30:00-03:30"
    assert length_text(HOUR + 2 * MINUTE + 3 * SECOND + 999) == "01:02:03"


def test_errors_are_documents_with_a_namespace_at_200() -> None:
    """If this failed, a client that looks for a bare `<error>` would pass here and fail there."""
    reply = error("command", Dialect(), "no & no")
    assert reply.status == 200
    assert b'<error xmlns="https://www.beyondtrust.com/namespaces/API/command">no &amp; no</error>' in reply.body


def test_no_data_is_said_in_the_sites_language() -> None:
    """If this failed, a client that matches the English text would seem to work everywhere."""
    assert b"matching your chosen criteria" in nothing(Dialect(), "support").body
    french = nothing(Dialect(language="fr"), "support").body.decode()
    assert "correspondant à vos critères n\N{RIGHT SINGLE QUOTATION MARK}est disponible" in french


def test_session_ids_are_32_hex_digits() -> None:
    """If this failed, sessions would not look like the vendor's."""
    assert lsid_of("0a903d70-aabf-11e7-b5e2-9a5ac3da6edd") == "0a903d70aabf11e7b5e29a5ac3da6edd"


def test_people_have_names_of_their_own_and_addresses_of_both_kinds() -> None:
    """If this failed, two people would share a user, or IPv6 would never be met."""
    people = [representative_of(agent) for agent in hire(3, 40)]
    assert len({person.username for person in people}) == len({person.user_id for person in people}) == 40
    assert all(person.username.isascii() for person in people)
    assert {person.public_ip.startswith("[") for person in people} == {True, False}


@pytest.mark.parametrize("held", ["representative", "kept"])
def test_a_session_stays_with_who_asked_a_colleague_in_until_they_leave(
    held: Literal["representative", "kept"],
) -> None:
    """If this failed, a warm hand-over would be told as one to a stranger, or before it was one."""
    site = Site.of(Centre.simulate(31, 14, date(2026, 3, 2), 2, Habits(consults=0.5)), None)
    dialect = Dialect(held_queue=held)
    entries, writer = entries_of(site, dialect), SessionWriter(site, dialect)
    consults = [
        (one, hand) for one in site.sessions for hand in one.transfers if one.is_consult(hand) and hand.completed
    ]
    assert len(consults) > 10
    for session, hand in consults:
        assert hand.completed is not None
        place = "support_session", session.interaction_id
        moved = [entry.at for entry in entries if "queue_id" in entry.updates.get(place, {})]
        assert (hand.completed in moved) == (held == "representative")
        assert hand.started not in moved
        owners = [
            re.search(r'<primary_rep gsnumber="\d+" id="(\d+)">', str(writer.write(session, at)))
            for at in (hand.completed - 1, hand.completed)
        ]
        people = [str(site.people[name].user_id) for name in (hand.sender.agent_id, hand.receiver_id)]
        assert [found and found[1] for found in owners] == people


def test_an_agent_who_is_not_on_the_payroll_is_refused() -> None:
    """If this failed, a misspelt agent would make an empty appliance."""
    with pytest.raises(ValueError, match="nobody"):
        Site.of(Centre.simulate(1, 2, date(2026, 3, 2), 1), ["nobody"])
