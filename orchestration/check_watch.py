"""Which checks fail, and on which days: what the evaluations in Dagster's records come to, one after the other.

Each run judges its own days alone, and runs over today pass while yesterday is still wrong. So the newest evaluation is
not the verdict: a day fails until an evaluation that looked at it passes. Who is told belongs in ``alarms.py``.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import dagster as dg
import msgspec

from orchestration.incidents import Incident
from orchestration.model_assets import FAILING_DAYS, JUDGED_DAYS, days_said
from orchestration.models import Check
from orchestration.sensors import UNDER_WAY

_WHOLE = ""
"""Stands for all days, where an evaluation names none: a whole table."""

_AT_FIRST = timedelta(hours=2)
_SLACK = timedelta(minutes=1)
_MOST = 500
_NAMED = 3


class Known(msgspec.Struct):
    """What is known of one check.

    Attributes:
        seen: When the newest evaluation that was taken in was made, seconds since 1970.
        failing: UTC days that fail; an empty text stands for all of them.
        text: What the newest evaluation that failed said.
    """

    seen: float = 0.0
    failing: list[str] = []
    text: str = ""


class Told(msgspec.Struct):
    """The sensor's cursor: what is known of each check, by :func:`name_of`, and since when runs are to be looked at."""

    looked_at: datetime | None = None
    checks: dict[str, Known] = {}


def take_in(instance: dg.DagsterInstance, checks: Sequence[Check], told: Told, now: datetime) -> Told:
    """What is known by now: by the runs that go on, and those that ended since the last look.

    An evaluation's place among Dagster's records of a check is that of the beginning of its run, so that the newest
    of these may be older than one behind it; runs are asked instead.

    Args:
        instance: Dagster's storage.
        checks: The checks; of others nothing is known any more.
        told: What was known before.
        now: Our clock.
    """
    known = {name_of(check): told.checks.get(name_of(check), Known()) for check in checks}
    events = [event for run_id in _runs(instance, told.looked_at or now - _AT_FIRST) for event in _of(instance, run_id)]
    for at, evaluation in sorted(events, key=lambda event: event[0]):
        name = f"{'.'.join(evaluation.asset_key.path)}:{evaluation.check_name}"
        if name in known and at > known[name].seen:
            known[name] = _after(known[name], at, evaluation)
    return Told(now, known)


def name_of(check: Check) -> str:
    """What a check is known by in the cursor and in incidents."""
    return f"{check.table}:{check.name}"


def _runs(instance: dg.DagsterInstance, since: datetime) -> list[str]:
    going_on = instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY), limit=_MOST)
    changed = instance.get_run_records(dg.RunsFilter(updated_after=since - _SLACK), limit=_MOST)
    return list(dict.fromkeys(record.dagster_run.run_id for record in (*going_on, *changed)))


def _of(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[float, dg.AssetCheckEvaluation]]:
    for entry in instance.all_logs(run_id, of_type={dg.DagsterEventType.ASSET_CHECK_EVALUATION}):
        if entry.dagster_event:
            yield entry.timestamp, entry.dagster_event.asset_check_evaluation_data


def _after(known: Known, at: float, evaluation: dg.AssetCheckEvaluation) -> Known:
    judged = days_said(evaluation, JUDGED_DAYS)
    failing = set(known.failing) - judged - {_WHOLE} if judged else set()
    text = known.text
    if not evaluation.passed:
        failing |= days_said(evaluation, FAILING_DAYS) or judged or {_WHOLE}
        text = evaluation.description or ""
    return Known(at, sorted(failing), text if failing else "")


def check_incidents(checks: Sequence[Check], told: Told) -> Iterator[Incident]:
    """An incident for each check that fails on some day."""
    for check in checks:
        found = told.checks.get(name_of(check), Known())
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
            f"{found.text.rstrip('.') or 'rows break it'}.",
            next_step="Open the asset's checks in Dagster, which show such rows; docs/operations.md says what each "
            "means. It is over when these days are judged again and pass: each build of them does so.",
        )
