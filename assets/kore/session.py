"""How Kore.ai is asked: a token for each request, a share of the account's budget, and what its error texts mean.

Which requests there are belongs in ``client.py``. Facts about the vendor are in the package's docstring.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import jwt
import requests

from assets.http import Options, Retry, Session
from assets.kore.config import KoreConfig
from assets.pacing import Lane, shared_pacer

SECOND = timedelta(seconds=1)
TOKEN_LIFE = timedelta(minutes=15)
UNAUTHORISED, TOO_MANY = 401, 429

PATIENT = Retry(base=15.0)
"""The vendor counts by the minute and names no time to wait: five tries reach beyond one."""

RATE_LIMITED = re.compile(rb"exceeded the ([a-z-]+ )?rate limit|rate limit exceeded", re.IGNORECASE)
REFUSED = re.compile(rb'invalid sdk credentials|"code"\s*:\s*"?4002\b', re.IGNORECASE)
UPDATES = re.compile(rb'"agentupdates"\s*:\s*\[', re.IGNORECASE)
HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
WAYS_OUT: Mapping[int | None, str] = {
    400: "set stream_id of this source in sources.yaml, which newer accounts may need, and check its account_id",
    401: "check app_id and client_secret of this source in sources.yaml, the environment variables that they name, "
    "that the app signs with HS256, and this machine's clock",
    403: 'the app lacks the scope "WFM Integration"; have it selected, saved and published',
    404: "check base_url and account_id of this source in sources.yaml",
    429: "lower max_requests_per_minute of this source in sources.yaml: other programs use the same account",
}


class TokenAuth(requests.auth.AuthBase):
    """Signs each request with a token of its own, in the header ``auth``.

    Args:
        app_id: The app, in the claim ``appId``.
        secret: What signs.
        now: The vendor's time as far as known: a token is judged by it.
    """

    def __init__(self, app_id: str, secret: str, now: Callable[[], datetime]) -> None:
        self._app_id = app_id
        self._secret = secret
        self.now = now

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        issued = self.now() - SECOND
        claims = {
            "sub": "shiftbook",
            "appId": self._app_id,
            "jti": uuid.uuid4().hex,
            "iat": issued,
            "exp": issued + TOKEN_LIFE,
        }
        request.headers["auth"] = jwt.encode(claims, self._secret, "HS256")
        return request


def connect(config: KoreConfig, lane: Lane = "past") -> Session:
    """A session for one account; reads its secrets.

    A share of the account's budget is kept for the present, so that no backfill makes it wait.

    Raises:
        MissingVariableError: An environment variable that the source names is not set.
    """
    app_id, secret = config.app_id.reveal(), config.client_secret.reveal()
    auth = TokenAuth(app_id, secret, lambda: datetime.now(UTC))
    options = Options(
        timeout_seconds=config.timeout_seconds,
        verify=config.ca_bundle or config.verify_tls,
        retry=PATIENT,
        pacer=shared_pacer(config, lane, config.base_url, config.account_id),
        auth=auth,
        headers=HEADERS | ({"iId": config.stream_id} if config.stream_id else {}),
        ways_out=WAYS_OUT,
        meaning=meaning,
    )
    session = Session(config.name, config.base_url, secrets=(secret, app_id), options=options)
    auth.now = session.vendor_now
    return session


def meaning(status: int, body: bytes) -> int:
    """The status that a reply stands for: the vendor says some errors in words, with a status that it does not tell."""
    if UPDATES.search(body):
        return status
    if RATE_LIMITED.search(body):
        return TOO_MANY
    return UNAUTHORISED if REFUSED.search(body) else status
