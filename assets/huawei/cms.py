"""CC-CMS: what its requests look like, and the past of agents (``cms_history``), window by window.

Reads of a reply only whether it succeeded and how many rows it holds (``cms_replies.py``). The present is polled in
``cms_live.py``.
"""

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from assets.askers import page
from assets.capture import Fetched, Probe
from assets.config import MissingVariableError
from assets.http import HttpError, Options, PermanentError, Reply, Retry, Session
from assets.huawei.asking import clock_probe
from assets.huawei.cms_replies import AGENTS, API, AgentList, CmsError, rows_of
from assets.huawei.config import CmsConfig, HuaweiConfig
from assets.huawei.files import probe_files
from assets.huawei.signing import CONTENT_TYPE, Signer
from assets.pacing import Lane, SharedPacer, shared_pacer
from assets.windows import Window
from orchestration.lake import Page

OPERATIONS = f"{API}/agent/agentoprinfo"
STATUS = f"{API}/agentgroup/agentstatusinfobyagentids"
QUARTER = timedelta(minutes=15)
UNAUTHORISED = 401
MISSING = 404
PROBE = Retry(tries=2)
POLLS_NEED = 2
"""Requests per poll that are kept for the present: all agents of most VDNs are one, and who they are is asked, too."""

WAYS_OUT: Mapping[int | None, str] = {
    401: "check cms.access_key and cms.secret_key of this source, and this machine's clock, which is signed, too",
    403: "the account, or this machine's address, is not let in; have the operator of AICC allow both",
    404: "check cms.base_url of this source in sources.yaml",
}


def encode(**parameters: object) -> bytes:
    """The body of a request."""
    return msgspec.json.encode(parameters)


class Asker(Protocol):
    """What the client needs of :class:`assets.http.Session`."""

    drift_seconds: float | None

    def request(self, method: str, path: str, *, body: bytes, retry: Retry | None = None) -> Reply:
        """Ask, with retries."""
        ...

    def vendor_now(self) -> datetime:
        """The vendor's time as far as known."""
        ...


class CmsHistoryClient:
    """The operations of one VDN's agents. Nothing is asked, and no secret read, before the first call.

    Args:
        config: The source.
        session: How to ask; by default made from the source.
    """

    def __init__(self, config: HuaweiConfig, session: Asker | None = None) -> None:
        self._config = config
        self._session = session
        self._agents = AgentList()
        self._lock = threading.RLock()

    @property
    def _cms(self) -> CmsConfig:
        if self._config.cms is None:
            raise PermanentError(f"{self._config.name}: cms is not configured, so CC-CMS cannot be asked")
        return self._config.cms

    def vendor_now(self) -> datetime:
        """Ask for the vendor's time, UTC, by asking who the agents are.

        Raises:
            HttpError: No answer, or one that says that this source cannot be asked, or that there is nobody to ask for.
        """
        with self._lock:
            self._ask_for_agents()
            self._everybody()
            return self._asker().vendor_now()

    def fetch(self, window: Window) -> Fetched:
        """Fetch the operations of all agents in one window, a page for each agent, in the order of work numbers.

        The vendor wants a multiple of 15 minutes: where a window is cut, more is asked for. When an agent's reply
        fails, what came of the others is handed back with status ``failed``.

        Raises:
            HttpError: Nothing could be had, or no agent is known, of whom something could be asked.
        """
        with self._lock:
            if self._agents.is_due:
                self._ask_for_agents()
            agents = self._everybody()
        begin, end = quarters(window)
        pages: list[Page] = []
        records, vendor_time, wrong = 0, None, None
        for agent in agents:
            body = encode(currentAgentId=agent, beginTime=_text(begin), endTime=_text(end), ccId=self._cms.cc_id)
            try:
                reply = self._asker().request("POST", OPERATIONS, body=body)
            except HttpError as error:
                if not pages or isinstance(error, PermanentError):
                    raise
                return Fetched(tuple(pages), records, vendor_time, "failed", str(error))
            vendor_time = vendor_time or reply.vendor_time
            pages.append(_page(reply, body))
            try:
                records += len(rows_of(reply.body))
            except CmsError as error:
                wrong = wrong or f"{self._config.name}: agent {agent}, {_text(begin)} to {_text(end)}: {error}"
        return Fetched(tuple(pages), records, vendor_time, "failed" if wrong else "ok", wrong)

    def probe(self) -> Iterator[Probe]:
        """Look at files, then at credentials, reachability, permission and clock, until one of these is wrong."""
        yield from probe_files(self._config)
        if self._config.cms is None:
            return
        try:
            with self._lock:
                count = self._list_agents(PROBE)
        except HttpError as error:
            wrong = "credentials" if error.status == UNAUTHORISED or error.status is None else "reachability"
            yield Probe(wrong, ok=False, message=str(error))
            return
        except CmsError as error:
            yield Probe("permission", ok=False, message=f"cms: {error}; check cms.base_url, cms.cc_id and cms.vdn")
            return
        yield Probe("reachability", ok=True, message=f"{self._config.cms_url} answers")
        told = f"VDN {self._cms.vdn} has {count} agents" if count else nobody(self._cms)
        yield Probe("permission", ok=count > 0, message=told)
        yield clock_probe(self._asker().drift_seconds)

    def _ask_for_agents(self) -> None:
        try:
            self._list_agents(None)
        except CmsError as error:
            if not self._agents.known:
                raise PermanentError(f"{self._config.name}: POST {AGENTS}: {error}") from None
            self._agents.keep(set())

    def _everybody(self) -> list[int]:
        """The agents to ask for.

        Raises:
            PermanentError: There are none: where nobody is asked for, nothing is observed.
        """
        if not self._agents.known:
            raise PermanentError(f"{self._config.name}: {nobody(self._cms)}")
        return sorted(self._agents.known)

    def _list_agents(self, retry: Retry | None) -> int:
        """How many agents there are, by what the vendor answers now.

        Raises:
            HttpError: No answer, or one that says that this source cannot be asked.
            CmsError: The vendor does not tell.
        """
        asking = self._agents.asking()
        path, parameters = next(asking)
        while True:
            body = encode(ccId=self._cms.cc_id, vdn=self._cms.vdn, **parameters)
            try:
                try:
                    reply = self._asker().request("POST", path, body=body, retry=retry)
                except PermanentError as error:
                    if error.status != MISSING:
                        raise
                    path, parameters = asking.throw(CmsError(str(error)))
                else:
                    path, parameters = asking.send(reply.body)
            except StopIteration as done:
                return int(done.value)

    def _asker(self) -> Asker:
        with self._lock:
            if self._session is None:
                self._session = connect(self._config, self._cms)
            return self._session


def connect(config: HuaweiConfig, cms: CmsConfig) -> Session:
    """A session that signs its requests.

    Raises:
        PermanentError: An environment variable that the source names is not set.
    """
    try:
        keys = (cms.access_key.reveal(), cms.secret_key.reveal())
    except MissingVariableError as error:
        raise PermanentError(str(error)) from None
    options = Options(
        timeout_seconds=config.timeout_seconds,
        verify=config.ca_bundle or config.verify_tls,
        pacer=cms_pacer(config, cms, "past"),
        headers={"Content-Type": CONTENT_TYPE, "Accept": "application/json"},
        ways_out=WAYS_OUT,
        auth=Signer(*keys),
        # Integrators meet 403 from a firewall that counts requests, and it goes away (seen in one's notes).
        transient=frozenset({403}),
    )
    return Session(config.name, config.cms_url, secrets=keys, options=options)


def nobody(cms: CmsConfig) -> str:
    """What is wrong, and the way out, when CC-CMS names no agent."""
    return (
        f"CC-CMS names no agents of VDN {cms.vdn}, so nothing can be observed; check cms.cc_id and cms.vdn of this "
        "source in sources.yaml, or leave this feed out of its feeds while the VDN has none"
    )


def cms_pacer(config: HuaweiConfig, cms: CmsConfig, lane: Lane) -> SharedPacer | None:
    """What spaces the requests of a VDN, whose status is asked for beside its history."""
    present = math.ceil(60 / config.poll_seconds) * POLLS_NEED
    return shared_pacer(config, lane, config.cms_url, cms.cc_id, cms.vdn, present=present)


def quarters(window: Window) -> tuple[datetime, datetime]:
    """The least stretch from one full quarter of an hour to another that holds a window."""
    midnight = window.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = midnight + (window.start - midnight) // QUARTER * QUARTER
    return begin, midnight - (midnight - window.end) // QUARTER * QUARTER


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _page(reply: Reply, body: bytes) -> Page:
    """A reply with its parameters: which agent it is about stands in the request alone."""
    return replace(page(reply), request=f"{reply.request} {body.decode()}")
