"""How an alarm travels: one ``POST`` to an address of the user's, which is a secret and is never told.

What is sent, and what happens when nobody takes it, belongs in ``alarms.py``.
"""

import logging
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

import msgspec
import requests
from assets.config import MissingVariableError, is_loopback

from orchestration.alarms import Delivery, Message
from orchestration.settings import Alarms

_SUCCESS = range(200, 300)
# Whoever answers so will answer otherwise later: what comes next would fare alike.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(slots=True)
class Webhook:
    """Delivers messages.

    Attributes:
        alarms: The configuration.
        log: Where it is told why nothing was delivered.
        seconds: How long one answer may take.
        budget: How long all deliveries together may: a tick of Dagster's has a minute.
    """

    alarms: Alarms
    log: logging.Logger
    seconds: float = 5.0
    budget: float = 20.0
    _began: float = field(default_factory=monotonic)

    def deliver(self, message: Message) -> Delivery:
        """Post a message; never raises for what the receiver does, nor for an address that is wrong."""
        if monotonic() - self._began > self.budget:
            return "silent"
        try:
            answer = requests.post(
                address_of(self.alarms),
                data=self._body(message),
                headers={"Content-Type": "application/json", "User-Agent": "shiftbook", "Idempotency-Key": message.id},
                timeout=self.seconds,
                allow_redirects=False,
                stream=True,  # what it says is not looked at, however much it is
            )
            answer.close()
        except MissingVariableError as error:
            return self._silent(str(error))
        # The text of such an error names the address, and with it the token that may be in it.
        except (requests.RequestException, ValueError) as error:
            return self._silent(f"the webhook ${{{self.alarms.webhook.variable}}} gives no answer: {_name(error)}")
        if answer.status_code in _SUCCESS:
            return "delivered"
        self.log.warning(
            "an alarm was not delivered, and will be tried again: the webhook answered %d", answer.status_code
        )
        return "silent" if answer.status_code in _BUSY else "refused"

    def _silent(self, why: str) -> Delivery:
        self.log.warning("an alarm was not delivered, and will be tried again: %s", why)
        return "silent"

    def _body(self, message: Message) -> bytes:
        return msgspec.json.encode({"text": message.text} if self.alarms.format == "slack" else message)


def address_of(alarms: Alarms) -> str:
    """Where messages are posted.

    Raises:
        MissingVariableError: The variable is not set.
        PlainAddressError: It is not https.
        ValueError: It is no address.
    """
    address = alarms.webhook.reveal()
    parts = urlsplit(address)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and (alarms.allow_http or is_loopback(parts.hostname or ""))
    ):
        raise PlainAddressError
    return address


def fault_of(alarms: Alarms) -> str | None:
    """What is wrong with the address, without showing it; nothing is posted."""
    try:
        address_of(alarms)
    except MissingVariableError as error:
        return str(error)
    except ValueError as error:
        return f"${{{alarms.webhook.variable}}}: {_name(error)}"
    return None


class PlainAddressError(ValueError):
    """The address is not https, and plain http to another machine was not allowed (``allow_http``)."""


def _name(error: Exception) -> str:
    if isinstance(error, PlainAddressError):
        return "its address must begin with https://, or set allow_http: true under alarms"
    return type(error).__name__
