"""Huawei's CC-CMS: states of many agents and operation records, asked for with signed requests.

What belongs here: its addresses, parameters, limits and envelope.  What does not: the
signature (`huawei_signature.py`), states, records, and the exports (`huawei_files.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from simulator.clock import SimClock
from simulator.facts import DAY, MINUTE, SECOND, Agent, millis
from simulator.faults import Faults
from simulator.huawei_history import Reading
from simulator.huawei_signature import is_signed
from simulator.huawei_states import REST, Stretch
from simulator.wire import Reply, Request, opaque

PREFIX: Final = "/rest/cmsapp/v1/openapi/"
# Stands for "not signed in": 2106-02-07, the greatest 32-bit second.
NEVER_SIGNED_IN: Final = 4_294_967_295_000
# The codes of failures are not in our sources; this one only has to differ from the success.
_FAILED: Final = "0300001"
_SUCCEEDED: Final = "0100000"
_MOST_AGENTS: Final = 6000
_LONGEST_PAGE: Final = 1000
_QUARTER: Final = 15 * MINUTE


@dataclass(frozen=True)
class HuaweiAccount:
    """Where and as whom to ask: drawn from the seed, so that a demo can be repeated."""

    cc_id: int
    vdn: int
    access_key: str
    secret_key: str

    @staticmethod
    def of(seed: int) -> HuaweiAccount:
        """Return the account of a seed."""
        rng = random.Random(f"{seed}/huawei/account")
        return HuaweiAccount(1, 1, f"SIM{rng.getrandbits(64):016X}", f"simulated-secret-{rng.getrandbits(64):016x}")


WhereT = TypeVar("WhereT", bound="_Where")


class _Where(msgspec.Struct, rename="camel"):
    """What every request names."""

    cc_id: int | str | None = None
    vdn: int | str | None = None


class _Page(_Where, rename="camel"):
    """A page of all agents; `offset` is a multiple of `limit`."""

    limit: int = 0
    offset: int = 0


class _Many(_Where, rename="camel"):
    """Some agents."""

    agent_ids: tuple[int | str, ...] = ()


class _One(_Where, rename="camel"):
    """One agent."""

    agent_id: int | str = 0


class _Past(_Where, rename="camel"):
    """One agent's records of a window, perhaps of one operation type; `vdn` is not asked for."""

    current_agent_id: int | str = 0
    begin_time: str = ""
    end_time: str = ""
    operate_type: int | str | None = None


class Cms:
    """Answers CC-CMS's requests as of the simulated clock, in the reading it is given."""

    def __init__(
        self, clock: SimClock, account: HuaweiAccount, people: Mapping[int, Agent], reading: Reading, faults: Faults
    ) -> None:
        """Serve these people, given by work number, to one account."""
        self.reading = reading
        self._clock = clock
        self._account = account
        self._people = people
        self._faults = faults
        self._began: set[int] = set()
        self._routes: dict[str, Callable[[bytes, int], Reply]] = {
            "agentgroup/agentstatusinfobyagentids": self._states_of,
            "vdn/totalagentabstractex3": self._abstracts,
            "vdn/totalagentdynamicinfo": self._page_of_states,
            "vdn/totalagentstate": self._all_states,
            "agent/agentbyworkno": lambda body, now: self._person(body, now, lower=False),
            "agentgroup/agentbyworkno": lambda body, now: self._person(body, now, lower=True),
            "agent/agentoprinfo": self._past,
        }

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults."""
        self._faults = faults
        self._began.clear()

    def answer(self, request: Request) -> Reply:
        """Answer one signed request; without a valid signature 401 and an opaque body."""
        route = self._routes.get(request.path.removeprefix(PREFIX))
        if route is None or request.method != "POST":
            return opaque(HTTPStatus.NOT_FOUND)
        account = self._account
        if not is_signed(request, account.access_key, account.secret_key, self._clock.now()):
            return opaque(HTTPStatus.UNAUTHORIZED)
        now = self._clock.now_ms()
        if self._faults.dropped_mode == "error" and self._dropped(now):
            return opaque(HTTPStatus.INTERNAL_SERVER_ERROR)
        try:
            return route(request.body, now)
        except ValueError as error:
            return _json({"result": "1", "resultDatas": None, "resultCode": _FAILED, "resultDesc": str(error)})

    def _dropped(self, at: int) -> bool:
        return any(millis(since) <= at < millis(until) for since, until in self._faults.dropped)

    # -- states -------------------------------------------------------------------------

    def _states_of(self, body: bytes, now: int) -> Reply:
        wanted = self._read(body, _Many).agent_ids
        if not 0 < len(wanted) <= _MOST_AGENTS:
            raise RefusedError("agentIds")
        numbers = [number for number in map(int, wanted) if number in self._people]
        return self._rows([self._info(number, now) for number in numbers])

    def _abstracts(self, body: bytes, now: int) -> Reply:
        return self._paged(
            body, lambda number: self._state(number, now, "currentState") | {"currentStateTime": self._age(number, now)}
        )

    def _page_of_states(self, body: bytes, now: int) -> Reply:
        return self._paged(body, lambda number: self._state(number, now))

    def _all_states(self, body: bytes, now: int) -> Reply:
        self._read(body, _Where)
        if self.reading.dialect.cti_36:
            raise RefusedError("interface of this release")
        return self._rows([self._state(number, now) for number in self._people])

    def _person(self, body: bytes, now: int, *, lower: bool) -> Reply:
        """Tell one agent's state in both numberings; `citStatus` is the vendor's spelling."""
        number = int(self._read(body, _One).agent_id)
        if number not in self._people:
            raise RefusedError("agentId")
        stretch = self._stretch(number, now)
        row: dict[str, object] = {
            "workNo": str(number),
            "citStatus": stretch.cti,
            "status": stretch.state,
            "loginDate": self._signed_in(stretch),
            "currentStateTime": self._age(number, now),
        }
        return self._rows([{name.lower(): value for name, value in row.items()} if lower else row])

    def _stretch(self, number: int, now: int) -> Stretch:
        return self.reading.book.at(self._people[number], now - int(self.reading.dialect.state_lag_seconds * SECOND))

    def _state(self, number: int, now: int, name: str = "state") -> dict[str, object]:
        return {"agentId": self._id(number), name: self._stretch(number, now).cti}

    def _age(self, number: int, now: int) -> int:
        """Return for how many whole seconds the state has lasted."""
        return max(now - self._stretch(number, now).at, 0) // SECOND

    def _info(self, number: int, now: int) -> dict[str, object]:
        agent = self._people[number]
        seen = now - int(self.reading.dialect.state_lag_seconds * SECOND)
        stretches = self.reading.book.stretches(agent)
        place = self.reading.book.place(agent, seen)
        stretch, before = stretches[place], stretches[max(place - 1, 0)]
        return self._state(number, now, "currentState") | {
            "currentStateTime": self._age(number, now),
            "currentStateReason": stretch.cause if stretch.state == REST else 0,
            "prevState": before.cti,
            "prevStateTime": (stretch.at - before.at) // SECOND,
            "logonTime": self._signed_in(stretch),
            "locationId": 0,
            "agentRelease": False,
            "currentPrivateCallNum": 0,
        }

    def _signed_in(self, stretch: Stretch) -> int | str:
        at = NEVER_SIGNED_IN if stretch.session is None else stretch.session.started
        return str(at) if self.reading.dialect.stringly_epochs else at

    def _id(self, number: int) -> int | str:
        return number if self.reading.dialect.numeric_ids else str(number)

    # -- records ------------------------------------------------------------------------

    def _past(self, body: bytes, now: int) -> Reply:
        wish = msgspec.json.decode(body, type=_Past)
        number = int(wish.current_agent_id)
        start, end = _instant(wish.begin_time), _instant(wish.end_time)
        length = end - start
        if number not in self._people:
            raise RefusedError("currentAgentId")
        if length <= 0 or length > DAY or length % _QUARTER:
            raise RefusedError("endTime")
        if self.reading.dialect.retention == "error" and start < now - DAY:
            raise RefusedError("beginTime")
        found = self.reading.history.select(number, start, end, now, self._faults)
        if wish.operate_type is not None:
            found = [one for one in found if one[1].kind == int(wish.operate_type)]
        if self._faults.dropped_mode == "empty":
            found = [one for one in found if not self._dropped(one[1].begin)]
        return self._rows(self.reading.history.rows(number, found))

    # -- the envelope -------------------------------------------------------------------

    def _read(self, body: bytes, kind: type[WhereT]) -> WhereT:
        wish = msgspec.json.decode(body, type=kind)
        if (str(wish.cc_id), str(wish.vdn)) != (str(self._account.cc_id), str(self._account.vdn)):
            raise RefusedError("ccId, vdn")
        return wish

    def _paged(self, body: bytes, row: Callable[[int], dict[str, object]]) -> Reply:
        wish = self._read(body, _Page)
        if not 0 < wish.limit <= _LONGEST_PAGE or wish.offset < 0 or wish.offset % wish.limit:
            raise RefusedError("limit, offset")
        people = list(self._people)
        if self._faults.unstable_pages and wish.limit not in self._began:
            # Whoever joins the list at its front while it is read moves all others on by one.
            self._began.add(wish.limit)
            people = people[1:]
        numbers = people[wish.offset : wish.offset + wish.limit]
        return self._rows([row(number) for number in numbers], {"count": len(people) + self._faults.wrong_total})

    def _rows(self, rows: list[dict[str, object]], more: dict[str, object] | None = None) -> Reply:
        told: dict[str, object] = {"result": "0", "resultCode": _SUCCEEDED} | (more or {})
        if self.reading.dialect.envelope != "legacy":
            told["resultDesc"] = rows
        if self.reading.dialect.envelope != "new":
            told["resultDatas"] = rows
        return _json(told)


class RefusedError(ValueError):
    """A parameter that is missing, wrong or beyond a limit."""

    def __init__(self, name: str) -> None:
        """Refuse a parameter by name."""
        super().__init__(f"invalid {name}")


def _instant(text: str) -> int:
    """Return a time parameter, UTC by definition, as milliseconds UTC."""
    return millis(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))


def _json(value: object) -> Reply:
    return Reply(HTTPStatus.OK, msgspec.json.encode(value))
