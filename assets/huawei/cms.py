"""CC-CMS: what its requests and replies look like, and the past of agents (``cms_history``), window by window.

Reads of a reply only whether it succeeded and how many rows it holds; nothing is parsed into rows here. The present is
polled in ``cms_live.py``.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from assets.capture import Fetched, Probe
from assets.config import MissingVariableError
from assets.http import HttpError, Options, PermanentError, Reply, Retry, Session
from assets.huawei.asking import clock_probe
from assets.huawei.config import CmsConfig, HuaweiConfig
from assets.huawei.files import probe_files
from assets.huawei.signing import CONTENT_TYPE, Signer
from assets.windows import Window
from orchestration.lake import Page

API = "/rest/cmsapp/v1/openapi"
AGENTS = f"{API}/vdn/totalagentstate"
OPERATIONS = f"{API}/agent/agentoprinfo"
STATUS = f"{API}/agentgroup/agentstatusinfobyagentids"
SUCCESS = frozenset({"0100000", "0"})
QUARTER = timedelta(minutes=15)
AGENTS_SECONDS = 300.0
"""How long a list of agents is good; a new colleague is seen after that at the latest."""

UNAUTHORISED = 401
PROBE = Retry(tries=2)
WAYS_OUT: Mapping[int | None, str] = {
    401: "check cms.access_key and cms.secret_key of this source, and this machine's clock, which is signed, too",
    403: "the account, or this machine's address, is not let in; have the operator of AICC allow both",
    404: "check cms.base_url of this source in sources.yaml",
}


class Row(msgspec.Struct, rename="camel", gc=False):
    """What asking needs of a row."""

    agent_id: object = None


class Envelope(msgspec.Struct, rename="camel", gc=False):
    """A reply: the rows stand in ``resultDesc``, and once more in the older ``resultDatas``."""

    result_code: str | int | None = None
    result: object = None
    result_desc: msgspec.Raw = msgspec.Raw()
    result_datas: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ROWS = msgspec.json.Decoder(list[Row])


class CmsError(ValueError):
    """A reply that is no success; the text holds the code and what the vendor says of it."""


def rows_of(body: bytes) -> list[Row]:
    """The rows of a successful reply, also of one without any.

    Raises:
        CmsError: The reply cannot be read, or says that it failed.
    """
    try:
        envelope = _ENVELOPE.decode(body)
        code = envelope.result_code if envelope.result_code is not None else envelope.result
        if str(code) not in SUCCESS:
            raise CmsError(f"resultCode {code}: see CC-CMS's list of error codes")
        for raw in (envelope.result_desc, envelope.result_datas):
            if bytes(raw).lstrip().startswith(b"["):
                return _ROWS.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise CmsError(f"the reply cannot be read ({error})") from None
    return []


def agents_of(body: bytes) -> list[int]:
    """The work numbers of a reply, sorted, each once.

    Raises:
        CmsError: The reply is no success.
    """
    texts = {str(row.agent_id) for row in rows_of(body)}
    return sorted(int(text) for text in texts if text.isascii() and text.isdigit())


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


@dataclass(slots=True)
class _Agents:
    """The agents of the VDN, as of some moment; those who left the list stay, since their day is still asked for."""

    known: set[int]
    asked_at: float = float("-inf")


class CmsHistoryClient:
    """The operations of one VDN's agents. Nothing is asked, and no secret read, before the first call.

    Args:
        config: The source.
        session: How to ask; by default made from the source.
    """

    def __init__(self, config: HuaweiConfig, session: Asker | None = None) -> None:
        self._config = config
        self._session = session
        self._agents = _Agents(set())
        self._lock = threading.RLock()

    @property
    def _cms(self) -> CmsConfig:
        if self._config.cms is None:
            raise PermanentError(f"{self._config.name}: cms is not configured, so CC-CMS cannot be asked")
        return self._config.cms

    def vendor_now(self) -> datetime:
        """Ask for the vendor's time, UTC, by asking who the agents are.

        Raises:
            HttpError: No answer, or one that says that this source cannot be asked.
        """
        with self._lock:
            reply = self._ask_for_agents(None)
        return reply.vendor_time or self._asker().vendor_now()

    def fetch(self, window: Window) -> Fetched:
        """Fetch the operations of all agents in one window, a page for each agent, in the order of work numbers.

        The vendor wants a multiple of 15 minutes: where a window is cut, more is asked for. When an agent's reply
        fails, what came of the others is handed back with status ``failed``.

        Raises:
            HttpError: Nothing could be had.
        """
        with self._lock:
            if time.monotonic() - self._agents.asked_at > AGENTS_SECONDS:
                self._ask_for_agents(None)
            agents = sorted(self._agents.known)
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
                reply = self._ask_for_agents(PROBE)
        except HttpError as error:
            wrong = "credentials" if error.status == UNAUTHORISED or error.status is None else "reachability"
            yield Probe(wrong, ok=False, message=str(error))
            return
        yield Probe("reachability", ok=True, message=f"{self._config.cms_url} answers")
        try:
            count = len(agents_of(reply.body))
        except CmsError as error:
            yield Probe("permission", ok=False, message=f"cms: {error}; check cms.cc_id and cms.vdn")
            return
        yield Probe("permission", ok=count > 0, message=f"VDN {self._cms.vdn} has {count} agents")
        yield clock_probe(self._asker().drift_seconds)

    def _ask_for_agents(self, retry: Retry | None) -> Reply:
        reply = self._asker().request("POST", AGENTS, body=encode(ccId=self._cms.cc_id, vdn=self._cms.vdn), retry=retry)
        try:
            self._agents.known.update(agents_of(reply.body))
        except CmsError as error:
            if not self._agents.known and retry is None:
                raise PermanentError(f"{self._config.name}: POST {AGENTS}: {error}", reply.status) from None
        self._agents.asked_at = time.monotonic()
        return reply

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
        max_requests_per_minute=config.max_requests_per_minute,
        headers={"Content-Type": CONTENT_TYPE, "Accept": "application/json"},
        ways_out=WAYS_OUT,
        auth=Signer(*keys),
        # Integrators meet 403 from a firewall that counts requests, and it goes away (seen in one's notes).
        transient=frozenset({403}),
    )
    return Session(config.name, config.cms_url, secrets=keys, options=options)


def quarters(window: Window) -> tuple[datetime, datetime]:
    """The least stretch from one full quarter of an hour to another that holds a window."""
    midnight = window.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = midnight + (window.start - midnight) // QUARTER * QUARTER
    return begin, midnight - (midnight - window.end) // QUARTER * QUARTER


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _page(reply: Reply, body: bytes) -> Page:
    """A reply with its parameters: which agent it is about stands in the request alone."""
    return Page(
        requested_at=reply.requested_at,
        received_at=reply.received_at,
        request=f"{reply.request} {body.decode()}",
        status=reply.status,
        content_type=reply.content_type,
        payload=reply.body,
    )
