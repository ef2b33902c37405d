"""Huawei's CC-Gateway: agent status, sign-in, sign-out and event polling over HTTP 200 and retcodes.

What belongs here: its addresses, bodies, GUID headers and retcodes.  What does not: who
is signed in (`huawei_seats.py`), the states (`huawei_states.py`), and the server.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import Agent, millis
from simulator.faults import Dice, Faults
from simulator.huawei_history import Reading
from simulator.huawei_seats import Seat, Seats, Told, desktop_accepts, desktop_guid
from simulator.huawei_states import BUSY, IDLE, SIGNED_OUT, WORKING, Stretch
from simulator.wire import Reply, Request, opaque

PREFIX: Final = "/agentgateway/"
_BAD_METHOD: Final = "000-001"
_BAD_REQUEST: Final = "000-002"
_SWITCHED_OVER: Final = "000-004"
_NO_PHONE: Final = "100-001"
_SIGNED_IN_ALREADY: Final = "100-002"
_STRANGER: Final = "100-004"
_NOT_SIGNED_IN: Final = "100-006"
_BAD_SIGN_IN: Final = "100-011"

_STATUS: Final = re.compile(r"/agentgateway/resource/onlineagent/([1-9]\d{2,5})/agentstatus")
_AGENT: Final = re.compile(r"/agentgateway/resource/onlineagent/([1-9]\d{2,5})(?:/(\w+))?(?:/([1-9]\d{0,2}))?")
_EVENTS: Final = re.compile(r"/agentgateway/resource/agentevent/([1-9]\d{2,5})")
# The documents name no cookie; what it holds is the balancer's own business.
_COOKIE: Final = "node=simulated0"
_TICK_SECONDS: Final = 0.05
_LONGEST_PASSWORD: Final = 32
_LONGEST_PHONE: Final = 24


class _SignIn(msgspec.Struct):
    """The parts of a sign-in's body that make a difference here."""

    password: str = ""
    phonenum: str = ""
    status: int | str = IDLE


class Gateway:
    """Answers CC-Gateway's requests as of the simulated clock."""

    def __init__(
        self,
        centre: Centre,
        clock: SimClock,
        people: Mapping[int, Agent],
        passwords: Mapping[int, str],
        reading: Reading,
        faults: Faults,
    ) -> None:
        """Serve these people, given by work number."""
        self._seed = centre.seed
        self._clock = clock
        self._people = people
        self._passwords = passwords
        self._lock = threading.Lock()
        self._seats = Seats(centre.seed)
        self.closing = threading.Event()
        self.set_reading(reading)
        self.set_faults(faults)

    def set_reading(self, reading: Reading) -> None:
        """Serve another reading of the documents; seats stay signed in."""
        with self._lock:
            self._dialect, self._book = reading.dialect, reading.book
            self._bodies: dict[tuple[int, bool], bytes] = {}

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults; their dice start afresh."""
        self._faults = faults
        self._dice = Dice(faults.seed)

    def answer(self, request: Request) -> Reply:
        """Answer one request: HTTP 200 and a retcode, but for addresses that are not the gateway's."""
        now = self._clock.now_ms()
        retcode = self._fault(request, now)
        if retcode is not None:
            return _failed(retcode)
        match = _STATUS.fullmatch(request.path)
        if match is not None and request.method == "GET":
            return self._status(int(match[1]), request, now)
        match = _EVENTS.fullmatch(request.path)
        if match is not None:
            known = request.method == "GET"
            return self._poll(int(match[1]), self._seat_guid(request)) if known else _failed(_BAD_METHOD)
        match = _AGENT.fullmatch(request.path)
        if match is not None:
            return self._seat(request, int(match[1]), match[2] or "", match[3], now)
        known = request.path.startswith(f"{PREFIX}resource/")
        return _failed(_BAD_REQUEST) if known else opaque(HTTPStatus.NOT_FOUND)

    def guids(self) -> dict[str, str]:
        """Return the GUIDs that the desktops of all who are signed in hold now, by work number."""
        now = self._clock.now_ms()
        found = {}
        for number, agent in self._people.items():
            session = self._book.at(agent, now).session
            if session is not None:
                found[str(number)] = desktop_guid(self._seed, session, now, self._dialect)
        return found

    def force_out(self, number: int) -> None:
        """Sign a seat of ours out as an inspector would; its next poll is told.

        Raises:
            ValueError: No seat of ours is signed in under that work number.
        """
        now = self._clock.now_ms()
        with self._lock:
            seat = self._seats.find(self._people[number], now, self._dialect) if number in self._people else None
            if seat is None:
                message = f"no seat {number} of ours is signed in"
                raise ValueError(message)
            self._seats.shut(seat, now)

    # -- status -------------------------------------------------------------------------

    def _fault(self, request: Request, now: int) -> str | None:
        faults = self._faults
        if faults.dropped_mode == "error" and any(millis(a) <= now < millis(b) for a, b in faults.dropped):
            return _SWITCHED_OVER
        if faults.refused_rate > 0:
            throw = self._dice.attempt(request.path)
            if throw.hits("refused", faults.refused_rate):
                return faults.retcodes[throw.choose("retcode", tuple(range(len(faults.retcodes))))]
        return None

    def _seat_guid(self, request: Request) -> str:
        """Return the GUID of a seat's request, none if it strayed from the node where the seat is signed in."""
        strayed = self._dialect.sticky and _COOKIE not in request.headers.get("cookie", "")
        return "" if strayed else request.headers.get("guid", "")

    def _status(self, number: int, request: Request, now: int) -> Reply:
        agent = self._people.get(number)
        if agent is None:
            return _failed(_NOT_SIGNED_IN)
        with self._lock:
            seat = self._seats.find(agent, now, self._dialect)
            stretch = self._book.at(agent, now)
            if seat is not None and not seat.ends:
                if not self._seats.accepts(seat, self._seat_guid(request), now, self._dialect):
                    return _failed(self._dialect.bad_guid)
                return self._told(stretch if stretch.session is not None else Stretch(now, None, seat.status))
            if stretch.session is None:
                gone = self._dialect.signed_out
                return self._told(stretch) if gone == "state" else _failed(gone)
            guid = request.headers.get("guid", "")
            if not desktop_accepts(self._seed, stretch.session, guid, now, self._dialect):
                return _failed(self._dialect.bad_guid)
            return self._told(stretch)

    def _told(self, stretch: Stretch) -> Reply:
        """Return a status; there are few, so each body is written once."""
        key = (stretch.state, stretch.working)
        body = self._bodies.get(key)
        if body is None:
            result: object = {"agentState": stretch.state, "isWorking": stretch.working}
            if self._dialect.result == "array":
                result = [result]
            body = self._bodies[key] = msgspec.json.encode({"message": "", "retcode": "0", "result": result})
        return Reply(HTTPStatus.OK, body)

    # -- seats of ours ------------------------------------------------------------------

    def _seat(self, request: Request, number: int, action: str, reason: str | None, now: int) -> Reply:
        agent = self._people.get(number)
        if request.method == "PUT" and action in {"", "loginex", "forcelogin"} and reason is None:
            return self._sign_in(request.body, number, now, force=action == "forcelogin")
        forced = action == "forcelogoutwithreason" and reason is not None
        if request.method == "DELETE" and (forced or (action in {"logout", "forcelogout"} and reason is None)):
            return self._sign_out(agent, self._seat_guid(request), now)
        return _failed(_BAD_REQUEST)

    def _sign_in(self, body: bytes, number: int, now: int, *, force: bool) -> Reply:
        try:
            wish = msgspec.json.decode(body, type=_SignIn)
            status = int(wish.status)
        except ValueError:
            return _failed(_BAD_SIGN_IN)
        agent = self._people.get(number)
        if agent is None or wish.password != self._passwords[number]:
            return _failed(_STRANGER)
        if not wish.phonenum:
            return _failed(_NO_PHONE)
        long = len(wish.password) > _LONGEST_PASSWORD or len(wish.phonenum) > _LONGEST_PHONE
        if long or status not in {BUSY, IDLE, WORKING}:
            return _failed(_BAD_SIGN_IN)
        with self._lock:
            taken = self._seats.find(agent, now, self._dialect) is not None
            if not force and (taken or self._book.at(agent, now).state != SIGNED_OUT):
                return _failed(_SIGNED_IN_ALREADY)
            seat = self._seats.take(agent, status, now, self._book)
        result = {
            "vdnid": 1,
            "workno": str(number),
            "mediatype": "TTF",
            "loginTime": str(now),
            "isForceChange": "false",
            "serverName": "AgentGateway",
            "timeRemaining": "9",
        }
        cookies = (("Set-Cookie", f"{_COOKIE}; Path=/agentgateway"),) if self._dialect.sticky else ()
        return _answered({"result": result}, seat.guids[-1][0], cookies)

    def _sign_out(self, agent: Agent | None, guid: str, now: int) -> Reply:
        with self._lock:
            seat = None if agent is None else self._seats.find(agent, now, self._dialect)
            if seat is None or seat.ends:
                return _failed(_NOT_SIGNED_IN)
            if not self._seats.accepts(seat, guid, now, self._dialect):
                return _failed(self._dialect.bad_guid)
            if self._dialect.own_sign_out_event:
                self._seats.shut(seat, now)
            else:
                self._seats.leave(seat.agent)
        return _answered({})

    # -- events -------------------------------------------------------------------------

    def _poll(self, number: int, guid: str) -> Reply:
        """Answer with the next event, at once or when it happens; with none after the longest wait."""
        agent = self._people.get(number)
        until = time.monotonic() + self._dialect.poll_wait_seconds
        admitted = False
        while agent is not None:
            now = self._clock.now_ms()
            with self._lock:
                seat = self._seats.find(agent, now, self._dialect)
                if seat is None:
                    break
                # Once admitted, a poll is not thrown out because its GUID times out while it waits.
                admitted = admitted or self._seats.accepts(seat, guid, now, self._dialect)
                if not admitted:
                    return _failed(self._dialect.bad_guid)
                seat.heard = now
                due = bool(seat.events) and seat.events[0].at <= now
                if due or self.closing.is_set() or time.monotonic() >= until:
                    return self._event(seat, now, due=due)
            self.closing.wait(_TICK_SECONDS)
        return _failed(_NOT_SIGNED_IN)

    def _event(self, seat: Seat, now: int, *, due: bool) -> Reply:
        fresh = self._seats.renew(seat, now, self._dialect)
        if due:
            told = seat.events.popleft()
            if seat.ends:
                self._seats.leave(seat.agent)
            return _answered({"event": self._written(told, seat.agent)}, fresh)
        return _answered({} if self._dialect.empty_poll == "absent" else {"event": None}, fresh)

    def _written(self, told: Told, agent: Agent) -> dict[str, object]:
        event: dict[str, object] = {
            "eventType": told.kind,
            "workNo": str(work_number(agent)),
            "content": told.content,
        }
        return event | {"eventGenTime": told.at} if self._dialect.event_gen_time else event


def work_number(agent: Agent) -> int:
    """Return an agent's work number: from 101 on, in the order of the payroll."""
    return 101 + agent.number


def _failed(retcode: str) -> Reply:
    # The texts are not documented: a client must go by the code.
    return Reply(HTTPStatus.OK, msgspec.json.encode({"message": "request failed", "retcode": retcode}))


def _answered(value: dict[str, object], guid: str | None = None, cookies: tuple[tuple[str, str], ...] = ()) -> Reply:
    headers = cookies if guid is None else (("Set-GUID", f"JSESSIONID={guid}"), *cookies)
    return Reply(HTTPStatus.OK, msgspec.json.encode({"message": "", "retcode": "0"} | value), headers=headers)
