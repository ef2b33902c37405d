"""How an appliance is asked over HTTP: the shared token, closed connections, who am I.

What is asked for belongs in the modules of the feeds, which share one :class:`Appliance` per source and process.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime

from assets.beyondtrust import xml
from assets.beyondtrust.budget import Budget
from assets.beyondtrust.config import BeyondTrustConfig
from assets.beyondtrust.oauth import Tokens
from assets.bodies import MEGABYTE
from assets.capture import Probe
from assets.http import Clock, HttpError, Options, PermanentError, Reply, Retry, Session
from assets.pacing import Lane

COMMAND_PATH = "/api/command"
REPORTING_PATH = "/api/reporting"
UNAUTHORISED, FORBIDDEN, NOT_FOUND = 401, 403, 404
LARGEST: Mapping[str, int] = {COMMAND_PATH: 16 * MEGABYTE, REPORTING_PATH: 256 * MEGABYTE}
"""Of an answer, in bytes: lists of a site's people are a fraction of that, and an archive file is gzip."""

GOOD_DRIFT_SECONDS = 20.0
"""As far as the vendor's own updates may be late."""

PERMISSIONS = (
    "give the API account the permission (/login > Management > API Configuration): Command API read-only, "
    "Real-Time State API, Allow Access to Support Session Reports, Allow Access to Archive Reports"
)
WAYS_OUT: Mapping[int | None, str] = {
    401: "the token is refused although it is new; check the API account under /login > Management > API Configuration",
    403: PERMISSIONS,
    404: "check base_url, and that 'Enable XML API' is on (/login > Management > API Configuration)",
}


class Appliance:
    """One site, asked by one API account. Nothing is asked, and no secret read, before the first call.

    Args:
        config: The source.
        clock: The clock to measure and wait with.
    """

    def __init__(self, config: BeyondTrustConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.budget = Budget(config, self.clock)
        # A token is of use to the present, too, whoever asked for it.
        self._tokens = Tokens(config, self.budget.lane("live"), self.clock)
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._sessions: dict[tuple[str, Lane], Session] = {}

    @property
    def drift_seconds(self) -> float | None:
        """The appliance's clock minus ours, by the newest answer; None before any."""
        return None if self._session is None else self._session.drift_seconds

    def vendor_now(self) -> datetime:
        """The appliance's time as far as known, UTC; ours before any answer."""
        return self.clock.now() if self._session is None else self._session.vendor_now()

    def token(self, refused: str | None = None) -> str:
        """A token for the Real-Time State API; see :meth:`assets.beyondtrust.oauth.Tokens.token`."""
        return self._tokens.token(refused)

    def get(self, path: str, params: Mapping[str, str], retry: Retry | None = None, *, lane: Lane = "past") -> Reply:
        """Ask with GET; a token that is refused is renewed once.

        Raises:
            HttpError: As of :meth:`assets.http.Session.request`, or no token could be had.
        """
        token = self._tokens.token()
        try:
            return self._with(token, lane).request("GET", path, params=params, retry=retry, largest=LARGEST[path])
        except PermanentError as error:
            if error.status != UNAUTHORISED:
                raise
        fresh = self._with(self._tokens.token(refused=token), lane)
        return fresh.request("GET", path, params=params, retry=retry, largest=LARGEST[path])

    def _with(self, token: str, lane: Lane) -> Session:
        """A session that sends this token; connections are closed after each call, so a new one costs nothing."""
        with self._lock:
            if (token, lane) not in self._sessions:
                made = self._connect(token, lane)
                made.drift_seconds = self.drift_seconds
                kept = {key: held for key, held in self._sessions.items() if key[0] == token}
                self._sessions = kept | {(token, lane): made}
            self._session = self._sessions[token, lane]
            return self._session

    def _connect(self, token: str, lane: Lane) -> Session:
        config = self.config
        options = Options(
            timeout_seconds=config.timeout_seconds,
            verify=config.ca_bundle or config.verify_tls,
            headers={
                "Authorization": f"Bearer {token}",
                # An archive is gzip by itself and kept as it is; a second compression on the way would hide that.
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
            pacer=self.budget.lane(lane),
            ways_out=WAYS_OUT,
        )
        secrets = (token, *self._tokens.secrets())
        return Session(config.name, config.base_url, secrets=secrets, options=options, clock=self.clock)

    def examine(self, permission: str, needed: str) -> Iterator[Probe]:
        """Look at reachability, credentials, permission and clock, in this order, until one is wrong.

        Args:
            permission: As ``get_api_info`` names it (``perm_reporting_archive``).
            needed: As the administrator's page names it.
        """
        needs_command = permission == "perm_command"
        held = None
        try:
            self._tokens.secrets()
        except PermanentError as error:
            yield Probe("credentials", ok=False, message=str(error))
            return
        try:
            self.token()
            yield Probe("reachability", ok=True, message=f"{self.config.base_url} answers")
            yield Probe("credentials", ok=True, message="accepted")
            held = _permission(
                self.get(COMMAND_PATH, {"action": "get_api_info"}, Retry(tries=2), lane="live"), permission
            )
        except HttpError as error:
            # Who am I belongs to the Command API, which another feed's account need not be allowed to use.
            if error.status != FORBIDDEN or needs_command:
                found = {UNAUTHORISED: "credentials", FORBIDDEN: "permission", NOT_FOUND: "address"}
                yield Probe(found.get(error.status or 0, "reachability"), ok=False, message=str(error))
                return
        if held in {"0", "deny"} or (needs_command and held == ""):
            yield Probe("permission", ok=False, message=f"the API account lacks '{needed}'; {PERMISSIONS}")
            return
        if held:
            yield Probe("permission", ok=True, message=f"the API account has '{needed}'")
        yield self._clock_probe()

    def _clock_probe(self) -> Probe:
        drift = self.drift_seconds
        if drift is None:
            return Probe("clock", ok=False, message="the appliance's answers carry no Date; our own clock is used")
        well = abs(drift) <= GOOD_DRIFT_SECONDS
        advice = "" if well else "; set up NTP on this machine or on the appliance"
        return Probe("clock", ok=well, message=f"the appliance's clock minus ours is {drift:+.0f} s{advice}")


_SHARED: dict[tuple[object, ...], Appliance] = {}
_SHARING = threading.Lock()


def shared(config: BeyondTrustConfig) -> Appliance:
    """The one appliance of a source in this process, so that its feeds share token and limits."""
    key = (config.name, config.base_url, config.client_id, config.client_secret, config.max_requests_per_minute)
    with _SHARING:
        return _SHARED.setdefault(key, Appliance(config))


def _permission(reply: Reply, name: str) -> str | None:
    """What ``get_api_info`` says of a permission; empty when it is an error, None when we find nothing in it."""
    try:
        root = xml.read(reply.body)
    except xml.UnreadableError:
        return None
    return "" if xml.error(root) is not None else xml.permissions(root).get(name)
