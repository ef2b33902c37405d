"""The simulated floor: what agents did must be possible, and must not depend on luck."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise

import pytest

from simulator.centre import Centre
from simulator.facts import (
    CHANNELS,
    DAY,
    HOUR,
    SECOND,
    VOICE,
    WRAP_UP_REASON,
    Change,
    Participation,
    Transfer,
    day_start,
)
from simulator.floor import Habits

FIRST = date(2026, 3, 2)


@pytest.fixture(scope="module")
def centre() -> Centre:
    """Play one centre for all tests that only look."""
    return Centre.simulate(11, 40, FIRST, 3)


def all_changes(centre: Centre) -> list[Change]:
    """Return every change of every agent."""
    return [change for changes in centre.changes for change in changes]


def story(centre: Centre, until: int) -> list[tuple[object, ...]]:
    """Tell everything that began before an instant, with ends only where they came before it."""

    def known(at: int | None) -> int | None:
        return at if at is not None and at < until else None

    told: list[tuple[object, ...]] = [
        (change.at, change.session.session_id, change.kind, change.ready, change.reason, change.counts, change.ordinal)
        for change in all_changes(centre)
        if change.at < until
    ]
    told += [
        (stay.session_id, stay.started, known(stay.ended))
        for stays in centre.sessions
        for stay in stays
        if stay.started < until
    ]
    told += [
        (part.interaction_id, part.agent.agent_id, part.joined, known(part.left))
        for part in centre.participations
        if part.joined < until
    ]
    told += [
        (move.interaction_id, move.receiver_id, move.started, known(move.completed), move.hop, move.is_return)
        for move in centre.transfers
        if move.started < until
    ]
    return told


def test_the_same_arguments_give_the_same_centre(centre: Centre) -> None:
    """If this failed, no expected figure could be checked twice."""
    again = Centre.simulate(11, 40, FIRST, 3)
    assert story(again, again.ends) == story(centre, centre.ends)


def test_another_seed_gives_another_centre(centre: Centre) -> None:
    """If this failed, the seed would not reach the dice."""
    other = Centre.simulate(12, 40, FIRST, 3)
    assert story(other, other.ends) != story(centre, centre.ends)


@pytest.mark.parametrize("days", [1, 2])
def test_more_days_only_append(centre: Centre, days: int) -> None:
    """If this failed, a longer demo would rewrite the history a shorter one showed."""
    shorter = Centre.simulate(11, 40, FIRST, days)
    assert story(shorter, shorter.ends) == story(centre, shorter.ends)


def test_nobody_is_signed_in_before_the_first_day(centre: Centre) -> None:
    """If this failed, there would be sessions whose sign-in no window can show."""
    begin = day_start(FIRST)
    assert min(change.at for change in all_changes(centre)) >= begin


def test_somebody_signs_in_at_midnight_exactly(centre: Centre) -> None:
    """If this failed, the edge of a day would go untested."""
    assert any(stay.started % DAY == 0 for stays in centre.sessions for stay in stays)


def test_sessions_cross_midnight(centre: Centre) -> None:
    """If this failed, carried states would go untested."""
    assert any(
        stay.ended is not None and stay.ended // DAY > stay.started // DAY
        for stays in centre.sessions
        for stay in stays
    )


def test_sessions_of_an_agent_never_overlap(centre: Centre) -> None:
    """If this failed, an agent would be in two sessions at once."""
    for stays in centre.sessions:
        for before, after in pairwise(stays):
            assert before.ended is not None
            assert before.ended <= after.started


@pytest.fixture(scope="module")
def forgetful() -> Centre:
    """Play a centre large enough for several agents to forget to sign out, in both ways."""
    return Centre.simulate(5, 60, FIRST, 4)


def test_some_sessions_are_left_open_for_very_long(forgetful: Centre) -> None:
    """If this failed, nobody would have forgotten to sign out, or the platform never noticed."""
    lengths = [(stay.ended or forgetful.ends) - stay.started for stays in forgetful.sessions for stay in stays]
    assert 18 * HOUR < max(lengths) < 34 * HOUR
    assert 3 < sum(length > 14 * HOUR for length in lengths) < len(lengths) / 10


def test_a_forgotten_session_takes_no_work(forgetful: Centre) -> None:
    """If this failed, agents who went home would still be handling calls hours later."""
    for part in forgetful.participations:
        stay = next(
            stay
            for stay in forgetful.sessions[part.agent.number]
            if stay.started <= part.joined and (stay.ended is None or stay.ended > part.joined)
        )
        assert part.joined - stay.started < 11 * HOUR


def test_every_session_begins_as_the_client_does(centre: Centre) -> None:
    """If this failed, the opening records would not look like the vendor's."""
    for agent, changes in zip(centre.agents, centre.changes, strict=True):
        first_of: dict[str, list[Change]] = {}
        for change in changes:
            first_of.setdefault(change.session.session_id, []).append(change)
        for opening in first_of.values():
            start = opening[0]
            assert (start.kind, start.ready, start.reason) == ("session-start", False, None), agent.name
            assert start.at == start.session.started
            if len(opening) > 1:
                logged_in = opening[1]
                assert logged_in.reason is not None
                assert logged_in.reason.name == "Logged in"
                assert 2 <= logged_in.at - start.at <= SECOND


def test_records_of_a_session_have_strictly_growing_times(centre: Centre) -> None:
    """If this failed, a record would end where it starts."""
    for changes in centre.changes:
        for before, after in pairwise(changes):
            assert before.at < after.at
    for change in all_changes(centre):
        assert change.session.ended is None or change.at < change.session.ended


def test_counts_never_exceed_the_rule(centre: Centre) -> None:
    """If this failed, an agent would hold more than the capacity the API reports."""
    for change in all_changes(centre):
        for bucket in change.session.agent.rule:
            assert sum(change.counts[channel] for channel in bucket.channels) <= bucket.capacity


def test_counts_are_of_channels_the_agent_has(centre: Centre) -> None:
    """If this failed, work would be counted in no capacity entry."""
    for change in all_changes(centre):
        for channel, count in enumerate(change.counts):
            assert count == 0 or change.session.agent.bucket_of(channel) is not None


def test_counts_agree_with_participation(centre: Centre) -> None:
    """If this failed, the API and the truth would tell two different stories."""
    for agent, changes in zip(centre.agents, centre.changes, strict=True):
        mine = [part for part in centre.participations if part.agent is agent]
        for change in changes[:: max(1, len(changes) // 60)]:
            live = Counter(
                part.channel
                for part in mine
                if part.joined <= change.at and (part.left is None or part.left > change.at)
            )
            assert change.counts == tuple(live[channel] for channel in range(len(CHANNELS)))


def test_direction_is_told_while_a_voice_contact_is_live(centre: Centre) -> None:
    """If this failed, chats would carry a direction or calls would lack one."""
    for change in all_changes(centre):
        assert (change.direction is not None) == (change.counts[VOICE] > 0)


def test_both_directions_and_all_channels_occur(centre: Centre) -> None:
    """If this failed, part of the vocabulary would never be served."""
    assert {change.direction for change in all_changes(centre)} == {None, "inbound", "outbound"}
    assert {part.channel for part in centre.participations} == set(range(len(CHANNELS)))


def test_agents_handle_several_items_at_once(centre: Centre) -> None:
    """If this failed, union and sum of handling could not be told apart."""
    assert max(sum(change.counts) for change in all_changes(centre)) >= 3


def test_agents_go_not_ready_while_handling(centre: Centre) -> None:
    """If this failed, the precedence of handling over not ready would go untested."""
    assert any(not change.ready and any(change.counts) for change in all_changes(centre))


def test_reasons_are_sometimes_absent(centre: Centre) -> None:
    """If this failed, a missing reason would never be served outside the first record."""
    assert any(
        not change.ready and change.reason is None and change.kind == "presence" for change in all_changes(centre)
    )


def test_a_working_day_has_the_expected_number_of_records(centre: Centre) -> None:
    """If this failed, volumes measured with the simulator would mean nothing."""
    shifts = sum(len(stays) for stays in centre.sessions)
    assert 130 <= len(all_changes(centre)) / shifts <= 270


def test_wrap_up_follows_voice() -> None:
    """If this failed, there would be no after-call work to measure."""
    centre = Centre.simulate(3, 12, FIRST, 2)
    wrap_ups = [c for c in all_changes(centre) if c.reason is not None and c.reason.name == WRAP_UP_REASON]
    ends = {(part.agent.agent_id, part.left) for part in centre.participations if part.channel == VOICE and part.left}
    assert wrap_ups
    starts = [c for c in wrap_ups if c.kind == "presence"]
    assert starts
    assert all((change.session.agent.agent_id, change.at) in ends for change in starts)


def test_wrap_up_can_be_switched_off() -> None:
    """If this failed, tenants that do not report wrap-up could not be simulated."""
    centre = Centre.simulate(3, 12, FIRST, 2, Habits(wrap_up=False))
    assert centre.participations
    assert not [c for c in all_changes(centre) if c.reason is not None and c.reason.name == WRAP_UP_REASON]


def test_the_logged_in_record_can_be_switched_off() -> None:
    """If this failed, an inferred fact of the vendor would be fixed."""
    centre = Centre.simulate(3, 6, FIRST, 1, Habits(logged_in=False))
    assert all_changes(centre)
    assert not [c for c in all_changes(centre) if c.reason is not None and c.reason.name == "Logged in"]


def transfers_by_interaction(centre: Centre) -> dict[str, list[Transfer]]:
    """Return the transfers of each interaction in order."""
    chains: dict[str, list[Transfer]] = {}
    for transfer in centre.transfers:
        chains.setdefault(transfer.interaction_id, []).append(transfer)
    return chains


def test_transfers_hop_and_return_as_defined(centre: Centre) -> None:
    """If this failed, the expected hops and returns would be wrong themselves."""
    for chain in transfers_by_interaction(centre).values():
        had = {chain[0].sender.agent_id}
        for number, transfer in enumerate(chain, start=1):
            assert transfer.hop == number
            assert transfer.is_return == (transfer.receiver_id in had)
            had.add(transfer.receiver_id)


def test_all_kinds_of_chain_occur(centre: Centre) -> None:
    """If this failed, returns, chains of three or unknown receivers would go untested."""
    known = {agent.agent_id for agent in centre.agents}
    chains = transfers_by_interaction(centre).values()
    assert any(len(chain) >= 3 for chain in chains)
    assert any(transfer.is_return for transfer in centre.transfers)
    assert any(transfer.receiver_id not in known for transfer in centre.transfers)


def test_a_transfer_moves_the_work_at_its_completion(centre: Centre) -> None:
    """If this failed, sender and receiver would not hold the work when the transfer says so."""
    known = {agent.agent_id for agent in centre.agents}
    parts: dict[tuple[str, str], list[Participation]] = {}
    for part in centre.participations:
        parts.setdefault((part.interaction_id, part.agent.agent_id), []).append(part)
    for transfer in centre.transfers:
        if transfer.completed is None:
            continue
        assert 3 * SECOND <= transfer.completed - transfer.started <= 60 * SECOND
        sent = parts[transfer.interaction_id, transfer.sender.agent_id]
        assert any(part.joined <= transfer.started and part.left == transfer.completed for part in sent)
        if transfer.receiver_id in known:
            got = parts[transfer.interaction_id, transfer.receiver_id]
            assert any(part.joined == transfer.completed for part in got)


def test_a_consult_has_both_talk_before_the_sender_leaves(centre: Centre) -> None:
    """If this failed, warm hand-overs would go untested, or the centre would hold consults that nobody asked for."""
    assert not any(transfer.consult for transfer in centre.transfers)
    asking = Centre.simulate(11, 40, FIRST, 1, Habits(consults=0.5))
    known = {agent.agent_id for agent in asking.agents}
    parts = {(part.interaction_id, part.agent.agent_id, part.joined): part for part in asking.participations}
    done = [move for move in asking.transfers if move.completed is not None and move.receiver_id in known]
    for transfer in done:
        joined = transfer.started if transfer.consult else transfer.completed
        assert joined is not None
        taken = parts[transfer.interaction_id, transfer.receiver_id, joined]
        assert taken.left is None or transfer.completed is None or taken.left > transfer.completed
        sent = [part for key, part in parts.items() if key[:2] == (transfer.interaction_id, transfer.sender.agent_id)]
        assert any(part.left == transfer.completed for part in sent)
    share = sum(transfer.consult for transfer in done) / len(done)
    assert 0.3 < share < 0.7
    assert not any(transfer.consult for transfer in asking.transfers if transfer.receiver_id not in known)


def test_nobody_transfers_to_themselves(centre: Centre) -> None:
    """If this failed, a transfer would move nothing."""
    assert all(transfer.sender.agent_id != transfer.receiver_id for transfer in centre.transfers)


def test_agent_ids_are_unique(centre: Centre) -> None:
    """If this failed, two people would share one timeline."""
    assert len({agent.agent_id for agent in centre.agents}) == 40


def test_some_agents_have_one_bucket_and_most_have_several(centre: Centre) -> None:
    """If this failed, capacity arrays of one or of several entries would go untested."""
    sizes = Counter(len(agent.rule) for agent in centre.agents)
    assert sizes[1] > 0
    assert sizes[2] + sizes[3] > sizes[1]
    assert any(agent.capacity == 1 for agent in centre.agents)


def test_names_are_not_all_ascii(centre: Centre) -> None:
    """If this failed, encodings would go untested."""
    assert any(not agent.name.isascii() for agent in centre.agents)
