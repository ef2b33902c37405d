"""Keeps secrets out of texts: messages, logs and recorded requests. Knows no vendor and nothing of where texts go."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

# A signed token (RFC 7515): its head and its payload are JSON objects, so in base64 both begin alike.
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*")


class Redactor:
    """Replaces secrets in a text, also where they are URL-encoded, quoted, or in base64 as in Basic authentication.

    Signed tokens are replaced whether or not they are among the secrets: some are made anew for each request.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None

    def __call__(self, text: str) -> str:
        """The text with ``***`` for each secret."""
        text = TOKEN.sub("***", text)
        return self._pattern.sub("***", text) if self._pattern else text


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    encoded = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return {secret, *quoted, *(form.decode().rstrip("=") for form in encoded)}
