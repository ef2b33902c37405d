"""The demo's configuration, written as a user would write it: sources.yaml, a map of states, secrets in variables."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from orchestration.demo_centre import Centre

POLL_SECONDS = 2
"""How often Huawei's agents are asked for: what is shown in twenty seconds should be worth a look."""


def write_sources(folder: Path, centre: Centre, first: date) -> tuple[Path, dict[str, str]]:
    """Write the demo's files into a folder; returns the path of sources.yaml, and the variables that it names."""
    vendors = centre.vendors
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state_map.csv").write_text(_state_map(vendors["kore"]["reason_codes"]), encoding="utf-8")
    sources = [{**source, "since": first} for source in _sources(vendors)]
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump({"state_map": "state_map.csv", "sources": sources}, sort_keys=False))
    return path, _variables(vendors)


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
