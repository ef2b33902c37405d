"""The demo's configuration as a user would write it: sources.yaml, map of states, roster, schedule, variables."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from orchestration.csv_tables import ROSTER_COLUMNS, SCHEDULE_COLUMNS
from orchestration.demo_centre import Centre

POLL_SECONDS = 2
"""How often Huawei's agents are asked for: what is shown in twenty seconds should be worth a look."""


@dataclass(frozen=True, slots=True)
class Hired:
    """Somebody of the simulated centre, who works on CxEngage and on one platform more, and their plan.

    Attributes:
        agent_id: The centre's id, which is CxEngage's.
        person_id: The payroll's.
        plan: Start, end and activity of each stretch.
    """

    agent_id: str
    person_id: str
    name: str
    team: str
    plan: Sequence[tuple[datetime, datetime, str]]


def write_sources(
    folder: Path, centre: Centre, first: date, staff: Sequence[Hired] = ()
) -> tuple[Path, dict[str, str]]:
    """Write the demo's files into a folder; returns the path of sources.yaml, and the variables that it names."""
    vendors = centre.vendors
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state_map.csv").write_text(_state_map(vendors["kore"]["reason_codes"]), encoding="utf-8")
    _write(folder / "roster.csv", ROSTER_COLUMNS[:5], _roster(vendors, staff))
    _write(folder / "schedule.csv", SCHEDULE_COLUMNS, _schedule(staff))
    tables = {"state_map": "state_map.csv", "roster": "roster.csv", "schedule": "schedule.csv"}
    sources = [{**source, "since": first} for source in _sources(vendors)]
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump({**tables, "adherence_threshold_seconds": 60, "sources": sources}, sort_keys=False))
    return path, _variables(vendors)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([columns, *rows])


def _roster(vendors: Mapping[str, Mapping[str, Any]], staff: Sequence[Hired]) -> Iterable[Sequence[object]]:
    """Each person as the agents that they are: on CxEngage, and on the other platform that they work on."""
    names = {source["vendor"]: source["name"] for source in _sources(vendors)}
    for person in staff:
        who = (person.person_id, person.name, person.team)
        yield (names["cxengage"], person.agent_id, *who)
        for vendor, told in vendors.items():
            if (agent_id := told.get("agent_ids", {}).get(person.agent_id)) is not None:
                yield (names[vendor], agent_id, *who)


def _schedule(staff: Sequence[Hired]) -> Iterable[Sequence[object]]:
    """Every other one is planned as a person, whatever the platform; the others as agents of CxEngage."""
    for number, person in enumerate(staff):
        who = ("", "", person.person_id) if number % 2 else ("cx_demo", person.agent_id, "")
        for starts, ends, activity in person.plan:
            yield (*who, starts.isoformat(), ends.isoformat(), activity)


def _state_map(codes: Mapping[str, str]) -> str:
    """What the simulated accounts call after-contact work and signing in; real ones' words are told in the same way."""
    rows = [
        "vendor,vendor_state,reason,state",
        "cxengage,not-ready,After Call Work,wrap_up",
        "kore,login,,not_ready",
        f"kore,notready,{codes['After Call Work']},wrap_up",
    ]
    return "\n".join(rows) + "\n"


def _sources(vendors: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    cxengage, kore, huawei, beyondtrust = (vendors[name] for name in ("cxengage", "kore", "huawei", "beyondtrust"))
    keys = {"access_key": "${DEMO_HUAWEI_AK}", "secret_key": "${DEMO_HUAWEI_SK}"}
    return [
        {
            "name": "cx_demo",
            "vendor": "cxengage",
            "base_url": cxengage["base_url"],
            "tenant_id": cxengage["tenant_id"],
            "username": "${DEMO_USERNAME}",
            "password": "${DEMO_PASSWORD}",
            # The vendor's own sums, too: a second opinion on ours.
            "feeds": ["agent_states", "agent_intervals"],
        },
        {
            "name": "kore_demo",
            "vendor": "kore",
            "base_url": kore["base_url"],
            "account_id": kore["account_id"],
            "app_id": "${DEMO_KORE_APP_ID}",
            "client_secret": "${DEMO_KORE_SECRET}",
            # A simulated day passes in seconds, the minutes that vendors count requests in do not.
            "max_requests_per_minute": 600,
        },
        {
            "name": "aicc_demo",
            "vendor": "huawei",
            "base_url": huawei["base_url"],
            "poll_seconds": POLL_SECONDS,
            "guid_file": huawei["guid_file"],
            "cms_files": huawei["files"],
            "cms": {"cc_id": huawei["cc_id"], "vdn": huawei["vdn"], **keys},
        },
        {
            "name": "support_demo",
            "vendor": "beyondtrust",
            "base_url": beyondtrust["base_url"],
            "client_id": "${DEMO_BEYONDTRUST_ID}",
            "client_secret": "${DEMO_BEYONDTRUST_SECRET}",
            "company": beyondtrust["company"],
            "max_requests_per_minute": 6_000,
        },
    ]


def _variables(vendors: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        "DEMO_USERNAME": vendors["cxengage"]["username"],
        "DEMO_PASSWORD": vendors["cxengage"]["password"],
        "DEMO_KORE_APP_ID": vendors["kore"]["app_id"],
        "DEMO_KORE_SECRET": vendors["kore"]["client_secret"],
        "DEMO_HUAWEI_AK": vendors["huawei"]["access_key"],
        "DEMO_HUAWEI_SK": vendors["huawei"]["secret_key"],
        "DEMO_BEYONDTRUST_ID": vendors["beyondtrust"]["client_id"],
        "DEMO_BEYONDTRUST_SECRET": vendors["beyondtrust"]["client_secret"],
    }
