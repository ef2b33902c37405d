"""CxEngage's interval endpoint over a simulated centre: parameters, limits, paging, envelope.

What belongs here: what `GET /v1/tenants/{tenant}/wfm/intervals/agent` refuses and how its
answers are wrapped.  What does not: the figures (`cxengage_intervals.py`) and who may ask
at all (`cxengage.py`).  The siblings `queue` and `agent-queue` are not served: a simulated
centre writes down nothing about its queues.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from simulator.centre import Centre
from simulator.cxengage_intervals import QUARTER, Interval, IntervalDialect, IntervalIndex, row_of
from simulator.cxengage_query import RefusedError, count, instant, page_size, parameters
from simulator.facts import SECOND, iso, millis
from simulator.faults import Faults, altered, disturbed


@dataclass(frozen=True)
class _Query:
    """A well-formed request: a range on quarter-hour marks (milliseconds UTC) and a page of its rows."""

    start: int
    end: int
    limit: int
    offset: int
    page: int


class IntervalsApi:
    """Answers requests for intervals of agents."""

    def __init__(self, centre: Centre, tenant_id: str) -> None:
        """Serve a centre's figures as those of a tenant."""
        self._index = IntervalIndex(centre)
        self._tenant_id = tenant_id

    def answer(self, query: str, now: int, dialect: IntervalDialect, faults: Faults) -> bytes:
        """Return the answer to a query at `now` (milliseconds UTC).

        Raises:
            RefusedError: The account lacks the permission, or the request breaks a rule.
        """
        if not dialect.permitted:
            raise RefusedError(HTTPStatus.FORBIDDEN)
        asked = _parse(query, now, dialect)
        rows = self._rows(asked, dialect, faults)
        first = asked.offset + asked.page * asked.limit
        results: object = [
            row_of(row, self._tenant_id, dialect, altered(faults, row.name))
            for row in rows[first : first + asked.limit]
        ]
        if dialect.results == "object" and isinstance(results, list) and len(results) == 1:
            results = results[0]
        envelope = {
            "tenantId": self._tenant_id,
            "limit": str(asked.limit) if faults.stringly_limit else asked.limit,
            "offset": asked.offset,
            "start": iso(asked.start),
            "type": "agent",
            "page": asked.page,
            "total": len(rows) + faults.wrong_total,
            "end": iso(asked.end),
            "results": results,
        }
        return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()

    def _rows(self, asked: _Query, dialect: IntervalDialect, faults: Faults) -> list[Interval]:
        find = self._index.quarters if dialect.span == "quarter" else self._index.whole
        rows = find(asked.start, asked.end, everybody=dialect.absent_agents == "zero")
        kept = [row for row in rows if not _dropped(row, faults)]
        if faults.dropped_mode == "error" and len(kept) < len(rows):
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
        return disturbed(kept, faults, lambda row: row.name, f"{asked.start}-{asked.end}")


def _dropped(row: Interval, faults: Faults) -> bool:
    return any(row.start < millis(until) and row.end > millis(since) for since, until in faults.dropped)


def _parse(text: str, now: int, dialect: IntervalDialect) -> _Query:
    given = parameters(text)
    newest = now - int(dialect.delay_seconds * SECOND)
    longest = int(dialect.max_range_seconds * SECOND)
    start = instant(given.get("start"))
    # The documents call `end` optional and do not say what it is then.
    end = instant(given["end"]) if "end" in given else min(newest - newest % QUARTER, start + longest)
    if start % QUARTER or end % QUARTER or end < start:
        raise RefusedError
    if end - start > longest or end > newest:
        raise RefusedError(dialect.range_error_status)
    limit = min(page_size(given) or dialect.default_limit, dialect.max_limit)
    return _Query(start, end, limit, count(given.get("offset", "0")), count(given.get("page", "0")))
