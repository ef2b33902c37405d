"""Replaying BeyondTrust: whatever happens, however it is told, and by whichever feed, the records are the same."""

import json
import random
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.beyondtrust import Replay, archive_page, listing, page
from tests.models.workbench import Workbench, at

BEGIN = at("08:00")
LATE = timedelta(seconds=20)
FLAGS = ("routing_available", "routing_idle", "routing_busy", "routing_enabled")
Model = dict[tuple[str, str], dict[str, Any]]

# What happens, some seconds after what happened before: a representative comes or goes, changes a flag, or joins or
# leaves a session.
acts = st.tuples(
    st.integers(21, 900), st.sampled_from(["5", "6"]), st.sampled_from(["sign", "sign", "session", *FLAGS, *FLAGS])
)
shifts = st.lists(acts, min_size=1, max_size=14)


def played(shift: list[tuple[int, str, str]]) -> list[tuple[datetime, dict[str, Any]]]:
    """Changes of the tables, in order, as the vendor's messages have them; the first is at 08:00."""
    model: Model = {}
    told: list[tuple[datetime, dict[str, Any]]] = []
    when, number = BEGIN, 10
    for after, user, act in shift:
        number += 1
        row = next((key for key, value in model.items() if value.get("user_id") == user), None)
        if act == "sign" and row is None:
            one = {"user_id": user, **dict.fromkeys(FLAGS, 1), "created_timestamp": int(when.timestamp())}
            message = _change(model, "insert", "representative", str(number), one)
        elif row is None:
            continue
        elif act == "sign":
            message = _gone(
                model, [key for key, value in model.items() if value.get("representative_id") == row[1]], row
            )
        elif act == "session":
            stay = next((key for key, value in model.items() if value.get("representative_id") == row[1]), None)
            joined = {
                "representative_id": row[1],
                "support_session_id": "1",
                "created_timestamp": int(when.timestamp()),
            }
            message = (
                _gone(model, [], stay)
                if stay
                else _change(model, "insert", "representative_support_session", str(number), joined)
            )
        else:
            message = _change(model, "update", *row, {act: 1 - model[row][act]})
        told.append((when, message))
        when += timedelta(seconds=after)
    return told


def _change(model: Model, kind: str, table: str, row: str, fields: dict[str, Any]) -> dict[str, Any]:
    model[table, row] = model.get((table, row), {}) | fields
    return {"type": "update_model", kind: {table: {row: fields}}}


def _gone(model: Model, stays: list[tuple[str, str]], row: tuple[str, str]) -> dict[str, Any]:
    deleted: dict[str, list[str]] = {}
    for table, name in [*stays, row]:
        del model[table, name]
        deleted.setdefault(table, []).append(name)
    return {"type": "update_model", "delete": deleted}


def copied(told: list[tuple[datetime, dict[str, Any]]], until: datetime) -> dict[str, dict[str, Any]]:
    """All tables as they stood at a moment."""
    tables: dict[str, dict[str, Any]] = {"queue": {"1": {"name": "General"}}}
    for when, message in told:
        if when < until:
            for kind in ("insert", "update"):
                for table, rows in message.get(kind, {}).items():
                    for row, fields in rows.items():
                        held = tables.setdefault(table, {})
                        held[row] = held.get(row, {}) | fields
            for table, names in message.get("delete", {}).items():
                for name in names:
                    del tables[table][name]
    return tables


def live(
    told: list[tuple[datetime, dict[str, Any]]], late: timedelta, renewals: list[datetime]
) -> list[dict[str, Any]]:
    """Messages as received, each so late, over connections that are opened at 07:59 and at these times."""
    opened = [BEGIN - timedelta(minutes=1), *renewals]
    pages = []
    for n, start in enumerate(opened):
        end = opened[n + 1] + LATE if n + 1 < len(opened) else at("24:00")
        known = [(when + late, message) for when, message in told]
        copy = {"type": "update_model", "insert": copied(known, start)}
        messages = [(start, copy), *((when, m) for when, m in known if start <= when < end)]
        pages += [
            {**page(m, sequence=k, segment=f"s{n}"), "requested_at": start, "received_at": when}
            for k, (when, m) in enumerate(messages)
        ]
    return pages


def archived(told: list[tuple[datetime, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The same in archives: a copy each half hour until 12:00, and a file of what happened in between."""
    starts = [BEGIN + timedelta(minutes=30 * n) for n in range(8)]
    pages = [listing({n: f"{s:%H:%M}" for n, s in enumerate(starts, 1)}, {})]
    for n, start in enumerate(starts, 1):
        mine = [(when, m) for when, m in told if start <= when < start + timedelta(minutes=30)]
        lines = [json.dumps({"timestamp": when.timestamp(), **message}).encode() for when, message in mine]
        pages.append(archive_page("state", json.dumps(copied(told, start)).encode(), n, sequence=2 * n))
        pages.append(archive_page("event", b"\n".join(lines), n, sequence=2 * n + 1))
    return pages


def figures(replay: Replay) -> list[tuple[Any, ...]]:
    """What records say, without how it was delivered."""
    rows = replay.rows("int_beyondtrust_records")
    return [
        (r["agent_id"], r["started_at"], r["vendor_state"], r["reason_code"], r["work_items"], r["logged_in_at"])
        for r in rows
    ]


@settings(max_examples=15)
@given(shift=shifts, minutes=st.lists(st.integers(1, 200), max_size=2, unique=True), late=st.integers(0, 20))
def test_the_archive_says_what_was_watched(bench: Workbench, shift: list[Any], minutes: list[int], late: int) -> None:
    """If this fails, the same shift has another history when it was watched than when it was fetched later."""
    told = played(shift)
    renewals = [BEGIN + timedelta(minutes=m, seconds=7) for m in sorted(minutes)]
    watched = figures(Replay(bench, live(told, timedelta(seconds=late), renewals)))
    fetched = figures(Replay(bench, archive=archived(told), observed=[("08:00", "12:00")]))
    assert [(row[0], *row[2:]) for row in watched] == [(row[0], *row[2:]) for row in fetched]
    assert all(abs(a[1] - b[1]) <= LATE for a, b in zip(watched, fetched, strict=True))


@settings(max_examples=10)
@given(shift=shifts, first=st.integers(0, 6), length=st.integers(1, 4), late=st.integers(0, 19))
def test_both_feeds_together_say_no_more_than_one(
    bench: Workbench, shift: list[Any], first: int, length: int, late: int
) -> None:
    """If this fails, a change counts twice, or is lost, where one feed hands over to the other."""
    told = played(shift)
    start = BEGIN + timedelta(minutes=30 * first)
    end = min(start + timedelta(minutes=30 * length), at("12:00"))
    pages = live(told, timedelta(seconds=late), [])
    both = figures(Replay(bench, pages, archived(told), observed=[(f"{start:%H:%M}", f"{end:%H:%M}")]))
    alone = figures(Replay(bench, pages))
    assert [(row[0], *row[2:]) for row in both] == [(row[0], *row[2:]) for row in alone]
    assert all(abs(a[1] - b[1]) <= LATE for a, b in zip(both, alone, strict=True))


@settings(max_examples=10)
@given(shift=shifts, seed=st.integers(0, 99))
def test_order_and_repetition_of_delivery_change_nothing(bench: Workbench, shift: list[Any], seed: int) -> None:
    """If this fails, figures depend on how messages reached us."""
    told = played(shift)
    pages, files = live(told, LATE / 2, [at("09:00:00")]), archived(told)
    window = [("09:30", "10:30")]
    expected = figures(Replay(bench, pages, files, observed=window))
    pages += [{**one, "segment": f"again {one['segment']}"} for one in pages]
    files += [{**one, "segment": "again"} for one in files]
    random.Random(seed).shuffle(pages)
    random.Random(seed).shuffle(files)
    assert figures(Replay(bench, pages, files, observed=window)) == expected
