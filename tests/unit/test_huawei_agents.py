"""Who the agents of a VDN are: in one piece or page by page, whatever happens to the list meanwhile."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.huawei.cms_replies import AGENTS, MOST_ON_A_PAGE, PAGED, AgentList, CmsError, Question

REFUSAL = b'{"result": "1", "resultCode": "0300001"}'
Answer = Callable[[Question], bytes | CmsError]


def reply(agents: list[int], count: int | str | None = None) -> bytes:
    """A success that names these."""
    rows = [{"agentId": str(agent), "state": 1} for agent in agents]
    return json.dumps({"resultCode": "0100000", "resultDesc": rows, "count": count}).encode()


def page(question: Question, agents: list[int], count: int | str | None = None) -> bytes:
    """The page that is asked for, of these."""
    limit, offset = question[1]["limit"], question[1]["offset"]
    assert isinstance(limit, int)
    assert isinstance(offset, int)
    assert 0 < limit <= 1000
    assert offset % limit == 0
    return reply(agents[offset : offset + limit], count)


def ask(agents: AgentList, answer: Answer) -> list[Question]:
    """Ask for the agents; returns what was asked."""
    asking = agents.asking()
    asked = [next(asking)]
    while True:
        told = answer(asked[-1])
        try:
            asked.append(asking.throw(told) if isinstance(told, CmsError) else asking.send(told))
        except StopIteration:
            return asked


def test_what_is_told_in_one_piece_is_asked_for_once_and_for_a_while() -> None:
    """If this fails, each poll asks twice, or a colleague who left is forgotten with the day's work."""
    agents = AgentList()
    assert agents.is_due
    assert ask(agents, lambda _: reply([5, 7])) == [(AGENTS, {})]
    assert not agents.is_due
    ask(agents, lambda _: reply([7, 9]))
    assert agents.known == {5, 7, 9}


@pytest.mark.parametrize("refusal", [REFUSAL, b"", CmsError("answered 404")])
def test_a_platform_that_refuses_is_asked_page_by_page_from_then_on(refusal: bytes | CmsError) -> None:
    """If this fails, a site with CTI 3.6 never delivers, or is asked in vain every five minutes."""
    everybody = list(range(101, 2602))
    agents = AgentList()

    def answer(question: Question) -> bytes | CmsError:
        return refusal if question[0] == AGENTS else page(question, everybody, len(everybody))

    first = ask(agents, answer)
    assert [path for path, _ in first] == [AGENTS, PAGED, PAGED, PAGED]
    assert agents.known == set(everybody)
    assert [path for path, _ in ask(agents, answer)] == [PAGED, PAGED, PAGED]


def test_what_nobody_tells_is_an_error_in_the_words_of_the_first_refusal() -> None:
    """If this fails, a wrong VDN looks like a call centre without agents, or like an old platform."""
    agents = AgentList()
    with pytest.raises(CmsError, match="0300001"):
        ask(agents, lambda question: REFUSAL if question[0] == AGENTS else b"")
    assert agents.is_due


def test_somebody_who_moves_between_two_pages_is_found() -> None:
    """If this fails, who moved to a page that was read already is missing, and nothing says so."""
    agents, everybody = AgentList(), list(range(101, 101 + 2 * MOST_ON_A_PAGE))
    lists = [everybody, everybody[1:], everybody]

    def answer(question: Question) -> bytes:
        if question[0] == AGENTS:
            return REFUSAL
        return page(question, lists[0] if len(lists) == 1 else lists.pop(0), len(everybody))

    ask(agents, answer)
    assert agents.known == set(everybody)


@given(
    agents=st.lists(st.integers(101, 999_999), max_size=4),
    count=st.sampled_from([None, 0, 3, "4", -1, 10**30, "x" * 50]),
)
def test_a_list_that_ignores_pages_or_miscounts_comes_to_an_end(agents: list[int], count: int | str | None) -> None:
    """If this fails, the client asks for ever for agents that there are not."""
    known = AgentList()
    full = [*agents, *range(1_000_000, 1_000_000 + MOST_ON_A_PAGE)]
    asked = ask(known, lambda question: REFUSAL if question[0] == AGENTS else reply(full, count))
    assert len(asked) <= 5
    assert known.known == set(full)
