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

from assets.huawei.asking import OK, Answer, Backoff, NoAnswerError, ask, take_place
from assets.huawei.config import WORK_NUMBER, HuaweiAgent
from assets.huawei.retcodes import LOCKING, Verdict, explain, judge
from assets.pacing import SharedPacer
from orchestration.lake import Page

LOGGER = logging.getLogger(__name__)
RESOURCE = "/agentgateway/resource"
JSON = "application/json; charset=UTF-8"
NOT_READY = "3"
"""State after signing in: without it the gateway would begin to route calls to a seat that nobody sits at."""

WRITER = "have the site's desktop integration write it whole"
PREFIX = re.compile(r"^\s*JSESSIONID=", re.IGNORECASE)


@dataclass(slots=True)
class Seat:
    """One agent at the gateway.

    Attributes:
        agent: The work number.
        guid: What admits us; None when there is none, or it was refused.
        trouble: Why it is not asked for just now, or was last refused; None once it was answered well.
        asking: An answer is awaited.
    """

    agent: str
    guid: str | None = None
    trouble: str | None = None
    asking: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    _cookies: dict[str, str] = field(default_factory=dict, repr=False)
    _cookie: str = ""

    @property
    def ready(self) -> bool:
        """Whether it may be asked for now."""
        return self.guid is not None and not self.asking and not self.backoff.is_waiting

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

    def well(self) -> None:
        """It was answered well."""
        self.trouble = None
        self.backoff.succeeded()

    def ill(self, source: str, trouble: str) -> None:
        """Note what is wrong with it, and tell it when it is new."""
        if trouble != self.trouble:
            LOGGER.warning("%s: agent %s: %s", source, self.agent, trouble)
        self.trouble = trouble


def _cookies_of(line: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(line).items()}
    except CookieError:
        return {}


class Roster(Protocol):
    """Where seats come from."""

    @property
    def trouble(self) -> str | None:
        """Why there are none, or perhaps not those that there should be; None when all is well."""
        ...

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
        self._unread: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why there are no seats, or perhaps old ones."""
        return self._unread or (None if self._seats else f"guid_file {self._path} names no agent; {WRITER}")

    def seats(self) -> list[Seat]:
        """The seats of the file; while it cannot be read, those of before."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._read(self._path.read_bytes())
                self._seen, self._unread = seen, None
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
        trouble = f"guid_file {self._path} cannot be read ({what}); {WRITER}"
        if trouble != self._unread:
            LOGGER.warning("%s: %s", self._source, trouble)
        self._unread = trouble


@dataclass(frozen=True, slots=True)
class Patience:
    """How long seats wait, in seconds; tests shorten it.

    Attributes:
        between: Between two event polls; the vendor wants 200 to 500 ms.
        again: Between tries of a seat in use, at first.
        taken: How long that is: our own earlier sign-in ends two minutes after its last poll.
        refused: Between tries of a seat that is in use for longer, or refused: somebody may have mended it.
        locking: Between tries of a password that was refused.
    """

    between: float = 0.3
    again: float = 10.0
    taken: float = 150.0
    refused: float = 300.0
    locking: float = 3600.0

    def after(self, code: str) -> float:
        """How long to wait after a refusal."""
        return self.locking if code in LOCKING else self.refused


class OwnSeats:
    """Seats that we sign in, keep signed in by polling their events, and sign out at the end.

    Args:
        source: Name of the source, for messages.
        agents: The seats.
        take: Where events go; the gateway forgets each when it has told it.
        patience: How long to wait for what.
        pacer: Spaces all requests of the source.

    Raises:
        MissingVariableError: The variable of a password is not set.
    """

    def __init__(
        self,
        source: str,
        agents: Iterable[HuaweiAgent],
        take: Callable[[Page], Awaitable[None]],
        patience: Patience,
        pacer: SharedPacer | None,
    ) -> None:
        self._source = source
        self._sign_ins = {
            agent.id: {"password": agent.password.reveal(), "phonenum": agent.phone, "status": NOT_READY}
            for agent in agents
        }
        self._seats = {agent: Seat(agent) for agent in self._sign_ins}
        self._take = take
        self._patience = patience
        self._pacer = pacer

    @property
    def trouble(self) -> str | None:
        """Why none is signed in."""
        if any(seat.guid is not None for seat in self._seats.values()):
            return None
        return next((f"agent {seat.agent}: {seat.trouble}" for seat in self._seats.values() if seat.trouble), None)

    def seats(self) -> list[Seat]:
        """All of them."""
        return list(self._seats.values())

    def refused(self, seat: Seat, _began: float, /) -> None:
        """Sign in again."""
        seat.guid = None

    async def keep(self, session: aiohttp.ClientSession, seat: Seat) -> None:
        """Sign a seat in and keep it so, until cancelled; one that is in use or refused is tried again and again."""
        taken_since: float | None = None
        while True:
            began = time.monotonic()
            try:
                verdict, code = await (self._sign_in(session, seat) if seat.guid is None else self._beat(session, seat))
            except NoAnswerError as error:
                verdict, code = Verdict.RETRY, ""
                seat.ill(self._source, f"{error}; check base_url and the network")
            else:
                if verdict is Verdict.FINE:
                    taken_since = None
                    seat.well()
                    await asyncio.sleep(self._patience.between)
                    continue
                seat.ill(self._source, explain(code))
            if verdict is Verdict.TAKEN:
                taken_since = taken_since or began
                long = began - taken_since >= self._patience.taken
                seat.backoff.pause(self._patience.refused if long else self._patience.again)
            elif verdict is Verdict.REFUSED:
                seat.backoff.pause(self._patience.after(code))
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
        await take_place(self._pacer)
        answer = await ask(session, "PUT", _path(seat), {"Content-Type": JSON}, body)
        if answer.status != OK:
            raise NoAnswerError(f"the sign-in answered {answer.status}")
        verdict, code, _ = judge(answer.body)
        if verdict is Verdict.FINE:
            seat.note(answer)
            if seat.guid is None:
                raise NoAnswerError("the sign-in gave no Set-GUID")
        return verdict, code

    async def _beat(self, session: aiohttp.ClientSession, seat: Seat) -> tuple[Verdict, str]:
        path = f"{RESOURCE}/agentevent/{seat.agent}"
        await take_place(self._pacer)
        answer = await ask(session, "GET", path, seat.headers())
        if answer.status != OK:
            raise NoAnswerError(f"the event poll answered {answer.status}")
        seat.note(answer)
        verdict, code, has_event = judge(answer.body)
        if has_event or verdict is Verdict.UNREADABLE:
            await self._take(answer.page(f"GET {path}"))
        return verdict, code


def _path(seat: Seat) -> str:
    return f"{RESOURCE}/onlineagent/{seat.agent}"
