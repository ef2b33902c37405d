"""The access token of an API account: asked for once, used by all feeds of the source until shortly before its end.

An account has 30 valid tokens and the 31st ends the oldest, so a process must not ask for one per feed or per call. How
a request is made with a token belongs in ``appliance.py``.
"""

import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from assets.beyondtrust.config import BeyondTrustConfig
from assets.bodies import MEGABYTE
from assets.config import MissingVariableError
from assets.http import Clock, Options, Pacer, PermanentError, Session

PATH = "/oauth2/token"
BODY = b"grant_type=client_credentials"
MARGIN_SECONDS = 60.0
"""A token is not used in its last minute, or its last tenth where that is less: clocks differ, requests travel."""

CHECK = "check client_id and client_secret of this source in sources.yaml and the environment variables that they name"
WAYS_OUT: Mapping[int | None, str] = {
    400: CHECK,
    401: CHECK,
    403: "let this machine's address use the API accounts (/login > Management > API Configuration)",
    404: "check base_url: it must be a Remote Support site that answers /oauth2/token",
}


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; ``until`` is when to use it no more, on the monotonic clock, in seconds."""

    value: str
    until: float

    def __repr__(self) -> str:
        return f"Token(until={self.until!r})"


class Tokens:
    """The one token of a source in this process; safe to use from any thread.

    Args:
        config: The source.
        pacer: When to ask; shared with all other requests of the account.
        clock: The clock to measure with.
    """

    def __init__(self, config: BeyondTrustConfig, pacer: Pacer, clock: Clock) -> None:
        self._config = config
        self._pacer = pacer
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None

    def token(self, refused: str | None = None) -> str:
        """A token that the appliance should accept; asks for one when there is none, or when it is ``refused``.

        Several threads whose token was refused get one new token together.

        Raises:
            HttpError: The appliance gives none; permanent when id or secret are wrong or not set.
        """
        with self._lock:
            held = self._token
            if held is None or held.value == refused or self._clock.monotonic() >= held.until:
                self._token = held = self._ask()
            return held.value

    def secrets(self) -> tuple[str, ...]:
        """What must not appear in a message.

        Raises:
            PermanentError: An environment variable that the source names is not set.
        """
        try:
            return self._config.client_id.reveal(), self._config.client_secret.reveal()
        except MissingVariableError as error:
            raise PermanentError(str(error)) from None

    def _ask(self) -> Token:
        config = self._config
        client_id, secret = self.secrets()
        options = Options(
            timeout_seconds=config.timeout_seconds,
            verify=config.ca_bundle or config.verify_tls,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
                "Connection": "close",
            },
            pacer=self._pacer,
            ways_out=WAYS_OUT,
        )
        asked_at = self._clock.monotonic()
        basic = (client_id, secret)
        with Session(config.name, config.base_url, basic=basic, options=options, clock=self._clock) as session:
            reply = session.request("POST", PATH, body=BODY, largest=MEGABYTE)
        value, seconds = _read(reply.body)
        if value is None:
            # The body is not shown: it may be a token in a shape that we do not know.
            raise PermanentError(f"{config.name}: {reply.request} answered without an access_token; {WAYS_OUT[404]}")
        return Token(value, asked_at + seconds - min(MARGIN_SECONDS, seconds / 10))


def _read(body: bytes) -> tuple[str | None, float]:
    """Token and seconds of a reply; an hour, as the vendor's pages say, where ``expires_in`` cannot be read.

    ``token_type`` is not looked at: it came as ``Bearer`` and as ``bearer``.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None, 0.0
    value = said.get("access_token") if isinstance(said, dict) else None
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        return None, 0.0
    try:
        seconds = float(said.get("expires_in"))
    except (TypeError, ValueError):
        seconds = math.nan
    return value, seconds if 0 < seconds < math.inf else 3600.0
