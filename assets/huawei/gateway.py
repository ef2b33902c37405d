"""CC-Gateway as a live feed: asks for each agent's state every ``poll_seconds``, spread evenly over the interval.

Nothing is parsed but the return code. Who the agents are, and what admits us to them, belongs in ``seats.py``.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta

import aiohttp

from assets.capture import Probe
from assets.config import MissingVariableError
from assets.http import HttpError, Options, Retry, Session
from assets.huawei.asking import (
    IN_FLIGHT,
    OK,
    REFUSED,
    Answer,
    Backoff,
    Coverage,
    NoAnswerError,
    ask,
    clock_probe,
    open_session,
    take_place,
)
from assets.huawei.config import HuaweiConfig
from assets.huawei.retcodes import Verdict, explain, judge
from assets.huawei.seats import JSON, RESOURCE, GuidFile, OwnSeats, Patience, Roster, Seat
from assets.live import LiveError, Sink
from assets.pacing import SharedPacer, shared_pacer

SILENT_POLLS = 5
"""One agent may fail to be answered; so many polls in a row say that the gateway is gone."""

FAREWELL_SECONDS = 5.0
SHORTEST_WAIT = 0.002
PROBE = Retry(tries=2)


class GatewayClient:
    """The agents of one gateway. Nothing is asked, and no secret read, before :meth:`run`.

    Args:
        config: The source.
        patience: How long seats wait.
    """

    def __init__(self, config: HuaweiConfig, patience: Patience | None = None) -> None:
        self._config = config
        self._patience = patience or Patience()

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled; own seats are signed in before and signed out after.

        Raises:
            LiveError: Nothing can be asked until somebody mends something.
        """
        config, patience = self._config, self._patience
        # Another recorder may have the feed for a moment longer.
        pacer = shared_pacer(self._config, None, self._config.base_url)
        async with open_session(config, config.base_url) as session:
            if config.guid_file is not None:
                file = GuidFile(config.name, config.guid_file)
                await _Polling(config, session, file, sink, patience, pacer).until_cancelled()
                return
            try:
                own = OwnSeats(config.name, config.agents, sink.take, patience, pacer)
            except MissingVariableError as error:
                raise LiveError(str(error), lasting=True) from None
            try:
                keepers = [own.keep(session, seat) for seat in own.seats()]
                await _Polling(config, session, own, sink, patience, pacer).until_cancelled(*keepers)
            finally:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(own.sign_out(session), FAREWELL_SECONDS)

    def probe(self) -> Iterator[Probe]:
        """Look at the seats' GUIDs, reachability and clock. Own seats are not signed in: that would change them."""
        config = self._config
        seats: list[Seat] = []
        if config.guid_file is not None:
            file = GuidFile(config.name, config.guid_file)
            seats = file.seats()
            said = file.trouble or f"{config.guid_file} names {len(seats)} agents"
            yield Probe("seats", ok=bool(seats), message=said)
        agent, guid = (seats[0].agent, seats[0].guid or "") if seats else ("101", "")
        options = Options(
            timeout_seconds=config.timeout_seconds,
            verify=config.ca_bundle or config.verify_tls,
            headers={"Content-Type": JSON, "Guid": guid},
        )
        with Session(config.name, config.base_url, secrets=[guid], options=options) as session:
            try:
                reply = session.get(_path(agent), retry=PROBE)
            except HttpError as error:
                yield Probe("reachability", ok=False, message=str(error))
                return
            verdict, code, _ = judge(reply.body)
            if verdict is Verdict.UNREADABLE:
                yield Probe("reachability", ok=False, message=explain(code))
                return
            yield Probe("reachability", ok=True, message=f"{config.base_url} answers")
            if seats:
                well = verdict in {Verdict.FINE, Verdict.RETRY}
                said = "accepted" if well else explain(code)
                yield Probe("credentials", ok=well, message=f"agent {agent}: {said}")
            yield clock_probe(session.drift_seconds)


class _Polling:
    """Rounds over all seats, one request per seat and round."""

    def __init__(
        self,
        config: HuaweiConfig,
        session: aiohttp.ClientSession,
        roster: Roster,
        sink: Sink,
        patience: Patience,
        pacer: SharedPacer | None,
    ) -> None:
        self._source = config.name
        self._interval = config.poll_seconds
        self._session = session
        self._roster = roster
        self._sink = sink
        self._patience = patience
        self._pacer = pacer
        self._places = asyncio.Semaphore(IN_FLIGHT)
        self._throttle = Backoff()
        self._silent = 0
        self._coverage = Coverage(sink, timedelta(seconds=config.hold_polls * config.poll_seconds))

    async def until_cancelled(self, *beside: Coroutine[None, None, None]) -> None:
        """Poll, with what runs beside it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for each in (*beside, self._coverage.tell_every(self._interval)):
                    tasks.create_task(each)
                await self._rounds(tasks)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _rounds(self, tasks: asyncio.TaskGroup) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            seats = self._roster.seats()
            if trouble := self._roster.trouble:
                self._coverage.wrong(f"{self._source}: {trouble}")
                self._coverage.tell()
            step = self._interval / max(1, len(seats))
            for number, seat in enumerate(seats):
                await _until(clock, due + number * step)
                await self._throttle.wait()
                if seat.ready:
                    await take_place(self._pacer)
                    await self._places.acquire()
                    seat.asking = True
                    tasks.create_task(self._poll(seat))
            # A round that took longer is not caught up with: the vendor is slow enough as it is.
            due = max(due + self._interval, clock())
            await _until(clock, due)

    async def _poll(self, seat: Seat) -> None:
        path, began, guid = _path(seat.agent), time.monotonic(), seat.guid
        try:
            answer = await ask(self._session, "GET", path, seat.headers())
        except NoAnswerError as error:
            self._unanswered(seat, error, began)
            return
        finally:
            seat.asking = False
            self._places.release()
        self._silent = 0
        if answer.status == OK:
            self._judge(seat, answer, began, guid)
        else:
            advice = "; check base_url" if answer.status in REFUSED else ""
            self._coverage.wrong(f"{self._source}: GET {path} answered {answer.status}{advice}")
            self._throttle.failed(began, answer.asks_to_wait)
        # Also an error is kept: it says that this agent was not observed.
        await self._sink.take(answer.page(f"GET {path}"))

    def _judge(self, seat: Seat, answer: Answer, began: float, guid: str | None) -> None:
        seat.note(answer)
        verdict, code, _ = judge(answer.body)
        if verdict is Verdict.FINE:
            seat.well()
            self._throttle.succeeded()
            self._coverage.good(answer)
            return
        self._coverage.wrong(f"{self._source}: agent {seat.agent}: {explain(code)}")
        if verdict is Verdict.REAUTHENTICATE:
            if seat.guid == guid:  # else it has signed in anew meanwhile
                self._roster.refused(seat, began)
        elif verdict in {Verdict.SLOWER, Verdict.UNREADABLE}:
            seat.backoff.failed(began)
        elif verdict in {Verdict.REFUSED, Verdict.TAKEN}:
            seat.ill(self._source, explain(code))
            seat.backoff.pause(self._patience.after(code))

    def _unanswered(self, seat: Seat, error: NoAnswerError, began: float) -> None:
        self._silent += 1
        self._coverage.wrong(f"{self._source}: GET {_path(seat.agent)}: {error}; check base_url and the network")
        if self._silent >= SILENT_POLLS:
            self._throttle.failed(began)


async def _until(clock: Callable[[], float], moment: float) -> None:
    # Below the system's own grain waiting costs more than it evens out.
    if (left := moment - clock()) > SHORTEST_WAIT:
        await asyncio.sleep(left)


def _path(agent: str) -> str:
    return f"{RESOURCE}/onlineagent/{agent}/agentstatus"
