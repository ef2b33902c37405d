"""Secrets in texts: every form in which a vendor or a library may echo them is replaced."""

import json
from urllib.parse import quote, quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.redaction import Redactor


@settings(deadline=None)
@given(secret=st.text(min_size=1), before=st.text(), after=st.text())
def test_redaction_leaves_no_form_of_a_secret(secret: str, before: str, after: str) -> None:
    """Some character would make a secret slip through."""
    redact = Redactor(["", secret])
    for form in (
        secret,
        quote(secret, errors="replace"),
        quote_plus(secret, errors="replace"),
        json.dumps(secret)[1:-1],
    ):
        assert redact(f"{before}|{form}|{after}") != f"{before}|{form}|{after}"


def test_without_secrets_nothing_is_redacted() -> None:
    """An empty secret would match everywhere and blank every message."""
    assert Redactor([""])("a message") == "a message"


def test_base64_is_recognised_without_its_padding() -> None:
    """Basic credentials would be readable where a vendor or a token cuts the trailing signs of equality."""
    assert Redactor(["user:pass1"])("Basic dXNlcjpwYXNzMQ and dXNlcjpwYXNzMQ==") == "Basic *** and ***=="


def test_signed_tokens_are_redacted_whoever_made_them() -> None:
    """A token that is made anew for each request is on no list of secrets, and a vendor may repeat it in an error."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJhcHBJZCI6ImNzLWYyYjcifQ.lYyONpEEmSYdQo7C-_x"
    assert Redactor([])(f"auth: {token}, and more") == "auth: ***, and more"
