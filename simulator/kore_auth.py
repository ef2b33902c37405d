"""Who may ask Kore.ai, and how often: signed tokens and the account's rate limit.

What belongs here: the account drawn from the seed, checking a token (HS256, RFC 7519),
and counting requests.  What does not: what is answered (`kore.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from simulator.people import random_uuid

_MINUTE: Final = 60.0
_PARTS: Final = 3


@dataclass(frozen=True)
class KoreAccount:
    """Where and as whom to ask: drawn from the seed, so that a demo can be repeated.

    `unscoped_app_id` is an app with the same secret whose scope "WFM Integration" was never published.
    """

    account_id: str
    app_id: str
    client_secret: str
    stream_id: str
    unscoped_app_id: str

    @staticmethod
    def of(seed: int) -> KoreAccount:
        """Return the account of a seed."""
        rng = random.Random(f"{seed}/kore/account")
        return KoreAccount(
            account_id=f"{rng.getrandbits(96):024x}",
            app_id=f"cs-{random_uuid(rng)}",
            client_secret=f"simulated-secret-{rng.getrandbits(64):016x}",
            stream_id=f"st-{random_uuid(rng)}",
            unscoped_app_id=f"cs-{random_uuid(rng)}",
        )


class _Head(msgspec.Struct):
    alg: str


class Claims(msgspec.Struct, rename="camel"):
    """What a token claims: the key of the app must be spelt exactly `appId`."""

    app_id: str
    sub: str | None = None
    exp: float | None = None


def claims_of(token: str, secret: str, now: float) -> Claims | None:
    """Return a token's claims, or None where it is not a valid one of this secret.

    Only HS256 is accepted, as for the vendor's scoped apps.  A token has expired when it
    has both by `now`, the simulated time (seconds since the epoch), and by real time: a
    client goes by the one or the other.
    """
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    head, payload, signature = parts
    try:
        given = _decoded(signature)
        algorithm = msgspec.json.decode(_decoded(head), type=_Head).alg
        claims = msgspec.json.decode(_decoded(payload), type=Claims)
    except ValueError:
        return None
    wanted = hmac.new(secret.encode(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
    if algorithm != "HS256" or not hmac.compare_digest(given, wanted):
        return None
    return None if claims.exp is not None and claims.exp <= min(now, time.time()) else claims


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True)


class RateLimit:
    """Allows so many requests in any 60 seconds.

    Real seconds, even where the simulated clock stands or leaps: that is what clients pace themselves by.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing used; `ticks` tells seconds."""
        self._ticks = ticks
        self._used: deque[float] = deque()
        self._lock = threading.Lock()

    def allows(self, per_minute: int) -> bool:
        """Tell whether one more request may pass, and count it if so."""
        with self._lock:
            now = self._ticks()
            while self._used and self._used[0] <= now - _MINUTE:
                self._used.popleft()
            if len(self._used) >= per_minute:
                return False
            self._used.append(now)
            return True
