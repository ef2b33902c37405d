"""What a Kore.ai source may say, and what follows from it for its feed."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from assets.config import Origin
from assets.kore import AGENT_ACTIVITY
from assets.kore.config import KoreConfig
from assets.registry import connect as connect_feed

KEYS = {
    "name": "kore_in",
    "vendor": "kore",
    "base_url": "https://smartassist.kore.ai",
    "account_id": "63fb9a0f90425b644d3ec070",
    "app_id": "${KORE_APP_ID}",
    "client_secret": "${KORE_SECRET}",
}


def config(**changes: Any) -> KoreConfig:
    """A source with these keys changed."""
    environ = {"KORE_APP_ID": "cs-1", "KORE_SECRET": "s" * 40}
    return KoreConfig.model_validate(KEYS | changes, context=Origin(environ=environ))


def test_the_least_that_a_source_says() -> None:
    """A default would differ from the documented one, and silently shift or lose updates."""
    source = config()
    assert (source.event_timezone, source.stream_id, source.max_requests_per_minute) == ("UTC", None, 50)
    assert source.promised(AGENT_ACTIVITY) == AGENT_ACTIVITY


def test_zone_and_retention_of_the_account_change_its_feed() -> None:
    """SQL and capture would reckon with other promises than the account's own."""
    feed = config(event_timezone="Asia/Kolkata", retention_days=30).promised(AGENT_ACTIVITY)
    assert (feed.event_timezone, feed.retention, feed.window) == (
        "Asia/Kolkata", timedelta(days=30), AGENT_ACTIVITY.window,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("account_id", "../other"),
        ("account_id", ""),
        ("stream_id", "st-1\r\nauth: x"),
        ("event_timezone", "IST5:30"),
        ("retention_days", 0),
        ("max_requests_per_minute", 4),
        ("app_id", "cs-1"),
        ("client_secret", "literal"),
    ],
)
def test_what_cannot_be_is_refused(key: str, value: Any) -> None:
    """A slip would ask another account, smuggle a header, or put a secret into a file."""
    with pytest.raises(ValidationError) as failure:
        config(**{key: value})
    assert [error["loc"] for error in failure.value.errors()] == [(key,)]


def test_a_client_asks_nothing_when_it_is_made() -> None:
    """Loading the definitions would need the network and the secrets."""
    source = config(client_secret="${NOBODY}")
    assert connect_feed(source, AGENT_ACTIVITY) is not None
