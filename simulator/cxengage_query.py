"""What CxEngage's endpoints take alike: instants, counts, and requests that are refused.

What belongs here: reading single parameters of a query.  What does not: what an endpoint
allows (`cxengage.py`, `cxengage_wfm.py`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from simulator.facts import millis

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")
_NUMBER: Final = re.compile(r"\d{1,9}")


class RefusedError(Exception):
    """A request that gets an error status instead of data."""

    def __init__(self, status: int = HTTPStatus.BAD_REQUEST) -> None:
        """Refuse with a status."""
        super().__init__(status)
        self.status = status


def parameters(query: str) -> dict[str, str]:
    """Return a query's parameters; of one given several times, the last counts."""
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


def instant(text: str | None) -> int:
    """Return a time parameter as milliseconds UTC; its milliseconds are optional.

    Raises:
        RefusedError: It is missing or no time in the documented form.
    """
    if text is None or _TIME.fullmatch(text) is None:
        raise RefusedError
    try:
        return millis(datetime.fromisoformat(text).astimezone(UTC))
    except ValueError as error:
        raise RefusedError from error


def count(text: str) -> int:
    """Return a parameter that is a number from 0 up.

    Raises:
        RefusedError: It is none.
    """
    if _NUMBER.fullmatch(text) is None:
        raise RefusedError
    return int(text)


def page_size(given: dict[str, str]) -> int | None:
    """Return the limit asked for, if one was.

    Raises:
        RefusedError: It is no number, or 0.
    """
    if "limit" not in given:
        return None
    limit = count(given["limit"])
    if limit == 0:
        raise RefusedError
    return limit
