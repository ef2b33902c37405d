"""The seats whose state is asked for, and where their GUIDs come from: a file of the site's, or signing in ourselves.

A seat knows its GUID and cookies, and whether it may be asked now. The asking itself belongs in ``gateway.py``.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from assets.huawei.asking import OK, Answer, Backoff, NoAnswerError, ask
from assets.huawei.config import WORK_NUMBER, HuaweiAgent
from assets.huawei.retcodes import Verdict, explain, judge
from orchestration.lake import Page

LOGGER = logging.getLogger(__name__)
RESOURCE = "/agentgateway/resource"
JSON = "application/json; charset=UTF-8"
NOT_READY = "3"
"""State after signing in: without it the gateway would begin to route calls to a seat that nobody sits at."""

PREFIX = re.compile(r"^\s*JSESSIONID=", re.IGNORECASE)


@dataclass(slots=True)
class Seat:
    """One agent at the gateway.

    Attributes:
        agent: The work number.
        guid: What admits us; None when there is none, or it was refused.
        given_up: Why it is not asked for any more.
        asking: An answer is awaited.
    """

    agent: str
    guid: str | None = None
    given_up: str | None = None
    asking: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    _cookies: dict[str, str] = field(default_factory=dict, repr=False)
    _cookie: str = ""

    @property
    def ready(self) -> bool:
        """Whether it may be asked for now."""
        return self.guid is not None and self.given_up is None and not self.asking and not self.backoff.is_waiting

    def headers(self) -> dict[str, str]:
        """What goes with a request of this seat."""
        headers = {"Content-Type": JSON, "Guid": self.guid or ""}
        if self._cookie:
            headers["Cookie"] = self._cookie
        return headers

    def note(self, answer: Answer) -> None:
        """Keep a new GUID and the load balancer's cookies."""
        if fresh := answer.headers.get("Set-GUID"):
            self.guid = PREFIX.sub("", fresh).split(";")[0].strip() or self.guid
        if answer.cookies:
            for line in answer.cookies:
                self._cookies.update(_cookies_of(line))
            self._cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def refuse(self, source: str, code: str) -> None:
        """Ask for it no more."""
        self.given_up = explain(code)
        LOGGER.error("%s: agent %s is not asked for any more: %s", source, self.agent, self.given_up)


def _cookies_of(line: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(line).items()}
    except CookieError:
        return {}


class Roster(Protocol):
    """Where seats come from."""

    def seats(self) -> list[Seat]:
        """The seats as of now."""
        ...

    def refused(self, seat: Seat, began: float, /) -> None:
        """The gateway does not know a seat's GUID any more, as a request of the monotonic time ``began`` shows."""
        ...


class GuidFile:
    """Seats by a file of GUIDs, read anew when it changes.

    Args:
        source: Name of the source, for messages.
        path: JSON ``{"<work number>": "<GUID>"}``.
    """

    def __init__(self, source: str, path: Path) -> None:
        self._source = source
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._seats: dict[str, Seat] = {}
        self.trouble: str | None = None

    def seats(self) -> list[Seat]:
        """The seats of the file; while it cannot be read, those of before."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._read(self._path.read_bytes())
                self._seen, self.trouble = seen, None
        except (OSError, ValueError) as error:
            self._complain(f"{type(error).__name__}: {error}" if isinstance(error, OSError) else str(error))
        return list(self._seats.values())

    def refused(self, seat: Seat, began: float, /) -> None:
        """Ask more and more rarely until the file has another GUID."""
        seat.backoff.failed(began)

    def _read(self, content: bytes) -> None:
        try:
            guids = msgspec.json.decode(content, type=dict[str, str])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise ValueError('it must be JSON as {"101": "<guid>"}') from None
        if wrong := [agent for agent in guids if not WORK_NUMBER.fullmatch(agent)]:
            raise ValueError(f"{wrong[0]!r} is no work number")
        seats: dict[str, Seat] = {}
        for agent, text in guids.items():
            guid = PREFIX.sub("", text).strip()
            known = self._seats.get(agent)
            # Another GUID is another sign-in, at which whatever was wrong may be well again.
            if guid:
                seats[agent] = known if known is not None and known.guid == guid else Seat(agent, guid)
        self._seats = seats

    def _complain(self, what: str) -> None:
        trouble = f"guid_file {self._path} cannot be read ({what}); have the site's desktop integration write it whole"
        if trouble != self.trouble:
            LOGGER.warning("%s: %s", self._source, trouble)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Patience:
    """How long own seats wait, in seconds; tests shorten it.

    Attributes:
        between: Between two event polls; the vendor wants 200 to 500 ms.
        taken: How long a seat in use is tried: our own earlier sign-in ends two minutes after its last poll.
        again: Between tries of it.
    """

    between: float = 0.3
    taken: float = 150.0
    again: float = 30.0


class OwnSeats:
    """Seats that we sign in, keep signed in by polling their events, and sign out at the end.

    Args:
        source: Name of the source, for messages.
        agents: The seats.
        take: Where events go; the gateway forgets each when it has told it.
        patience: How long to wait for what.

    Raises:
        MissingVariableError: The variable of a password is not set.
    """

    def __init__(
        self,
        source: str,
        agents: Iterable[HuaweiAgent],
        take: Callable[[Page], Awaitable[None]],
        patience: Patience | None = None,
    ) -> None:
        self._source = source
        self._sign_ins = {
            agent.id: {"password": agent.password.reveal(), "phonenum": agent.phone, "status": NOT_READY}
            for agent in agents
        }
        self._seats = {agent: Seat(agent) for agent in self._sign_ins}
        self._take = take
        self._patience = patience or Patience()

    def seats(self) -> list[Seat]:
        """All of them."""
        return list(self._seats.values())

    def refused(self, seat: Seat, _began: float, /) -> None:
        """Sign in again."""
        seat.guid = None

    async def keep(self, session: aiohttp.ClientSession, seat: Seat) -> None:
        """Sign a seat in and keep it so, until it is given up."""
        taken_since: float | None = None
        while seat.given_up is None:
            began = time.monotonic()
            try:
                verdict, code = await (self._sign_in(session, seat) if seat.guid is None else self._beat(session, seat))
            except NoAnswerError as error:
                LOGGER.warning("%s: agent %s: %s", self._source, seat.agent, error)
                verdict, code = Verdict.RETRY, ""
            if verdict is Verdict.FINE:
                taken_since = None
                seat.backoff.succeeded()
                await asyncio.sleep(self._patience.between)
            elif verdict is Verdict.TAKEN:
                taken_since = taken_since or began
                if time.monotonic() - taken_since >= self._patience.taken:
                    seat.refuse(self._source, code)
                await asyncio.sleep(self._patience.again)
            elif verdict is Verdict.GIVE_UP:
                seat.refuse(self._source, code)
            else:
                if verdict is Verdict.REAUTHENTICATE:
                    seat.guid = None
                seat.backoff.failed(began)
                await seat.backoff.wait()

    async def sign_out(self, session: aiohttp.ClientSession) -> None:
        """Sign out what is signed in, so that no licence stays used; the gateway would do it after two minutes."""
        signed_in = [seat for seat in self._seats.values() if seat.guid is not None]
        calls = (ask(session, "DELETE", f"{_path(seat)}/logout", seat.headers()) for seat in signed_in)
        await asyncio.gather(*calls, return_exceptions=True)

    async def _sign_in(self, session: aiohttp.ClientSession, seat: Seat) -> tuple[Verdict, str]:
        body = msgspec.json.encode(self._sign_ins[seat.agent])
        answer = await ask(session, "PUT", _path(seat), {"Content-Type": JSON}, body)
        if answer.status != OK:
            return Verdict.RETRY, ""
        verdict, code, _ = judge(answer.body)
        if verdict is Verdict.FINE:
            seat.note(answer)
            if seat.guid is None:
                LOGGER.warning("%s: agent %s: the sign-in gave no Set-GUID", self._source, seat.agent)
                return Verdict.RETRY, code
        return verdict, code

    async def _beat(self, session: aiohttp.ClientSession, seat: Seat) -> tuple[Verdict, str]:
        path = f"{RESOURCE}/agentevent/{seat.agent}"
        answer = await ask(session, "GET", path, seat.headers())
        if answer.status != OK:
            return Verdict.RETRY, ""
        seat.note(answer)
        verdict, code, has_event = judge(answer.body)
        if has_event or verdict is Verdict.UNREADABLE:
            await self._take(answer.page(f"GET {path}"))
        return verdict, code


def _path(seat: Seat) -> str:
    return f"{RESOURCE}/onlineagent/{seat.agent}"
