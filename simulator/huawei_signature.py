"""Huawei's request signature SDK-HMAC-SHA256, checked as its API signing guide publishes it.

What belongs here: the canonical request and the check of one request's signature.  What
does not: keys, addresses and answers (`huawei_cms.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from simulator.wire import Request

ALGORITHM: Final = "SDK-HMAC-SHA256"
_HEADER: Final = re.compile(rf"{ALGORITHM} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{{64}})")
_SAFE: Final = "-_.~"
_SECONDS_VALID: Final = 15 * 60


def is_signed(request: Request, access_key: str, secret_key: str, now: datetime) -> bool:
    """Tell whether a request carries a valid signature of this key, made within 15 minutes of `now` (aware).

    Real time will do as well as `now`: clients live in it, wherever the simulation is.
    """
    match = _HEADER.fullmatch(request.headers.get("authorization", ""))
    stamp = request.headers.get("x-sdk-date", "")
    if match is None or match[1] != access_key:
        return False
    signed = match[2].split(";")
    known = signed == sorted(signed) and all(name == name.lower() and name in request.headers for name in signed)
    if not known or "x-sdk-date" not in signed or not _fresh(stamp, now):
        return False
    return hmac.compare_digest(match[3], signature(request, signed, stamp, secret_key))


def signature(request: Request, signed: list[str], stamp: str, secret_key: str) -> str:
    """Return the signature (64 hexadecimal digits) of a request over the headers `signed`."""
    digest = hashlib.sha256(canonical(request, signed).encode()).hexdigest()
    text = f"{ALGORITHM}\n{stamp}\n{digest}"
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical(request: Request, signed: list[str]) -> str:
    """Return the canonical request: method, path with a slash at its end, query, headers, body's hash."""
    path = "/".join(quote(unquote(part), safe=_SAFE) for part in request.path.split("/"))
    pairs = sorted(parse_qsl(request.query, keep_blank_values=True))
    return "\n".join(
        (
            request.method,
            path if path.endswith("/") else f"{path}/",
            "&".join(f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}" for name, value in pairs),
            "".join(f"{name}:{request.headers[name].strip()}\n" for name in signed),
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _fresh(stamp: str, now: datetime) -> bool:
    try:
        made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return any(abs((made - clock).total_seconds()) <= _SECONDS_VALID for clock in (now, datetime.now(UTC)))
