"""CC-CMS as a live feed: the state of all agents of a VDN every ``poll_seconds``, up to 6,000 in one request.

Nothing is parsed but whether a reply succeeded, and who the agents are. What requests look like belongs in ``cms.py``.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import aiohttp

from assets.bodies import MEGABYTE
from assets.capture import Probe
from assets.config import MissingVariableError
from assets.huawei.asking import OK, Answer, Backoff, Coverage, NoAnswerError, ask, open_session, take_place
from assets.huawei.cms import MISSING, STATUS, UNAUTHORISED, WAYS_OUT, CmsHistoryClient, cms_pacer, encode, nobody
from assets.huawei.cms_replies import AGENTS, AgentList, CmsError, rows_of
from assets.huawei.config import CmsConfig, HuaweiConfig
from assets.huawei.signing import signed_headers
from assets.live import LiveError, Sink

MOST_AGENTS = 6_000
LARGEST = 16 * MEGABYTE
"""Of an answer, in bytes: 6,000 agents are 3 MB, each told twice."""


class CmsStatusClient:
    """The present of one VDN's agents. Nothing is asked, and no secret read, before :meth:`run`.

    Args:
        config: The source.
        most_agents: Agents per request.
    """

    def __init__(self, config: HuaweiConfig, most_agents: int = MOST_AGENTS) -> None:
        if config.cms is None:
            raise ValueError(f"{config.name}: cms is not configured")
        self._config = config
        self._cms: CmsConfig = config.cms
        self._most_agents = most_agents

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled.

        Raises:
            LiveError: Nothing can be asked until somebody mends something.
        """
        config = self._config
        try:
            keys = (self._cms.access_key.reveal(), self._cms.secret_key.reveal())
        except MissingVariableError as error:
            raise LiveError(str(error), lasting=True) from None
        async with open_session(config, config.cms_url) as session:
            polling = _Polling(config, self._cms, keys, session, sink, self._most_agents)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(polling.coverage.tell_every(config.poll_seconds))
                    await polling.forever()
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None

    def probe(self) -> Iterator[Probe]:
        """The findings of the history's client: both feeds ask the same address with the same keys."""
        return CmsHistoryClient(self._config).probe()


class _Polling:
    """Asks for all agents again and again; who they are every few minutes."""

    def __init__(
        self,
        config: HuaweiConfig,
        cms: CmsConfig,
        keys: tuple[str, str],
        session: aiohttp.ClientSession,
        sink: Sink,
        most_agents: int,
    ) -> None:
        self.coverage = Coverage(sink, timedelta(seconds=config.hold_polls * config.poll_seconds))
        self._config = config
        self._cms = cms
        self._keys = keys
        self._session = session
        self._sink = sink
        self._most_agents = most_agents
        self._agents = AgentList()
        self._pacer = cms_pacer(config, cms, "live")
        self._throttle = Backoff()

    async def forever(self) -> None:
        """Poll at even distances."""
        due = time.monotonic()
        while True:
            await self._throttle.wait()
            if self._agents.is_due:
                await self._ask_for_agents()
            agents = sorted(self._agents.known)
            for first in range(0, len(agents), self._most_agents):
                await self._ask_for_states(agents[first : first + self._most_agents])
            due = max(due + self._config.poll_seconds, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def _ask_for_agents(self) -> None:
        began = time.monotonic()
        asking = self._agents.asking()
        path, parameters = next(asking)
        try:
            while True:
                try:
                    answer = await self._ask(path, parameters)
                except CmsError as error:
                    path, parameters = asking.throw(error)
                    continue
                if answer is None:
                    return
                path, parameters = asking.send(answer.body)
        except StopIteration:
            if not self._agents.known:
                self._failed(AGENTS, nobody(self._cms), began)
        except CmsError as error:
            self._failed(AGENTS, str(error), began)

    async def _ask_for_states(self, agents: list[int]) -> None:
        began = time.monotonic()
        try:
            answer = await self._ask(STATUS, {"agentIds": agents})
        except CmsError as error:
            self._failed(STATUS, str(error), began)
            return
        if answer is None:
            return
        try:
            rows_of(answer.body)
        except CmsError as error:
            self._failed(STATUS, str(error), began)
        else:
            self._throttle.succeeded()
            self.coverage.good(answer)
        await self._sink.take(answer.page(f"POST {STATUS}"))

    async def _ask(self, path: str, parameters: dict[str, object]) -> Answer | None:
        """An answer with status 200; None when there was none, which is noted.

        Raises:
            CmsError: There is no such address.
            LiveError: The keys are wrong.
        """
        await take_place(self._pacer)
        body = encode(ccId=self._cms.cc_id, vdn=self._cms.vdn, **parameters)
        headers = signed_headers(*self._keys, "POST", self._config.cms_url + path, body, datetime.now(UTC))
        began = time.monotonic()
        try:
            answer = await ask(self._session, "POST", path, headers, body, largest=LARGEST)
        except NoAnswerError as error:
            self._failed(path, f"{error}; check cms.base_url and the network", began)
            return None
        if answer.status == OK:
            return answer
        what = f"answered {answer.status}; {WAYS_OUT.get(answer.status, 'the vendor fails; it is asked again')}"
        if answer.status == UNAUTHORISED:
            raise LiveError(f"{self._config.name}: POST {path} {what}", lasting=True)
        if answer.status == MISSING:
            raise CmsError(what)
        self._failed(path, what, began, answer.asks_to_wait)
        return None

    def _failed(self, path: str, what: str, began: float, asked: float | None = None) -> None:
        self.coverage.wrong(f"{self._config.name}: POST {path}: {what}")
        self._throttle.failed(began, asked)
