"""The signature of CC-CMS requests, SDK-HMAC-SHA256 with AK and SK. Pure: no request is made here.

The rules are Huawei Cloud's own (support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html), to which
AICC's page of authentication C2 (cec_07_0003) keeps.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import requests

ALGORITHM = "SDK-HMAC-SHA256"
CONTENT_TYPE = "application/json; charset=UTF-8"


def signed_headers(
    access_key: str,
    secret_key: str,
    method: str,
    url: str,
    body: bytes,
    moment: datetime,
    content_type: str = CONTENT_TYPE,
) -> dict[str, str]:
    """A request's headers: ``Content-Type``, ``Host``, ``X-Sdk-Date`` (the moment, UTC) and ``Authorization``."""
    parts = urlsplit(url)
    stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Content-Type": content_type, "Host": parts.netloc, "X-Sdk-Date": stamp}
    names = ";".join(sorted(name.lower() for name in headers))
    lines = sorted(f"{name.lower()}:{value.strip()}\n" for name, value in headers.items())
    path = quote(parts.path or "/", safe="/-_.~%")
    pairs = sorted((_escaped(key), _escaped(value)) for key, value in parse_qsl(parts.query, keep_blank_values=True))
    canonical = "\n".join(
        [
            method,
            path if path.endswith("/") else f"{path}/",
            "&".join(f"{key}={value}" for key, value in pairs),
            "".join(lines),
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    to_sign = f"{ALGORITHM}\n{stamp}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = f"{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}"
    return headers


class Signer(requests.auth.AuthBase):
    """Signs each request of a requests session at the moment it is sent, so that a repeated one is signed anew."""

    def __init__(self, access_key: str, secret_key: str) -> None:
        self._keys = (access_key, secret_key)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers."""
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        now = datetime.now(UTC)
        request.headers.update(signed_headers(*self._keys, request.method or "", request.url or "", raw, now))
        return request


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")
