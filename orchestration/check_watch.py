"""Which checks fail, and on which days: what the evaluations in Dagster's records come to, one after the other.

Each run judges its own days alone, and runs over today pass while yesterday is still wrong. So the newest evaluation is
not the verdict: a day fails until an evaluation that looked at it passes. Who is told belongs in ``alarms.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import msgspec
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES as ENDED

from orchestration.incidents import Incident
from orchestration.model_assets import FAILING_DAYS, JUDGED_DAYS, key_of
from orchestration.models import Check

_WHOLE = ""
"""Stands for all days, where an evaluation names none: a whole table."""

_PAGE, _PAGES = 10, 20
_NAMED = 3


class Known(msgspec.Struct):
    """What is known of one check: a row of the sensor's cursor.

    Attributes:
        seen: When the newest evaluation that was taken in was made, seconds since 1970.
        failing: UTC days that fail; an empty text stands for all of them.
        text: What the newest evaluation that failed said.
    """

    seen: float = 0.0
    failing: list[str] = []
    text: str = ""


def take_in(instance: dg.DagsterInstance, checks: Sequence[Check], known: Mapping[str, Known]) -> dict[str, Known]:
    """What is known of each check by now.

    Args:
        instance: Dagster's storage.
        checks: The checks.
        known: What was known before, by :func:`name_of`.
    """
    return {name_of(check): _after(instance, check, known.get(name_of(check))) for check in checks}


def name_of(check: Check) -> str:
    """What a check is known by in the cursor and in incidents."""
    return f"{check.table}:{check.name}"


def _after(instance: dg.DagsterInstance, check: Check, known: Known | None) -> Known:
    known = known or Known()
    failing, text, seen = set(known.failing), known.text, known.seen
    for event in sorted(_since(instance, check, known.seen), key=lambda entry: entry.timestamp):
        if event.dagster_event is None:
            continue
        told = event.dagster_event.asset_check_evaluation_data
        judged = _days(told.metadata, JUDGED_DAYS)
        failing = failing - judged - {_WHOLE} if judged else set()
        if not told.passed:
            failing |= _days(told.metadata, FAILING_DAYS) or judged or {_WHOLE}
            text = told.description or ""
        seen = event.timestamp
    return Known(seen, sorted(failing), text if failing else "")


def _since(instance: dg.DagsterInstance, check: Check, seen: float) -> Iterator[dg.EventLogEntry]:
    """Evaluations after a moment; of a check that nobody knew before, the newest few.

    A record has its place from when its run began and its event from when it was judged, so that one behind a newer one
    may still be news.
    """
    key = dg.AssetCheckKey(key_of(check.table), check.name)
    cursor = None
    for _ in range(_PAGES if seen else 1):
        page = instance.event_log_storage.get_asset_check_execution_history(key, _PAGE, cursor, status=set(ENDED))
        fresh = [record.event for record in page if record.event and record.event.timestamp > seen]
        yield from fresh
        if len(page) < _PAGE or not fresh:
            return
        cursor = page[-1].id


def _days(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> set[str]:
    value = metadata.get(name)
    return set(value.value) if isinstance(value, dg.JsonMetadataValue) and isinstance(value.value, list) else set()


def check_incidents(checks: Sequence[Check], known: Mapping[str, Known]) -> Iterator[Incident]:
    """An incident for each check that fails on some day."""
    for check in checks:
        found = known.get(name_of(check), Known())
        if not found.failing:
            continue
        days = [day for day in found.failing if day != _WHOLE]
        more = f" and {len(days) - _NAMED} more days" if len(days) > _NAMED else ""
        on = f" on {', '.join(days[:_NAMED])}{more}" if days else ""
        yield Incident(
            key=f"check_failed:{name_of(check)}",
            kind="check_failed",
            subject=f"{check.table.replace('.', '/')}: {check.name}",
            cause=f"The check {check.name} of {check.table.replace('.', '/')} fails{on}: "
            f"{found.text or 'rows break it'}.",
            next_step="Open the asset's checks in Dagster, which show such rows; docs/operations.md says what each "
            "means. It is over when these days are judged again and pass: each build of them does so.",
        )
