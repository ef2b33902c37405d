"""Captures and builds a home without Dagster, in a process that can be killed.

``python worker.py HOME SOURCES FIRST LAST``: what ``shiftbook backfill`` does, without the seconds that Dagster takes
to start.
"""

import sys
from datetime import date, timedelta
from pathlib import Path

from assets.capture import capture
from assets.cxengage import AGENT_STATES
from assets.registry import connect
from orchestration.inputs import midnight
from orchestration.resources import Engine
from orchestration.settings import load_settings


def main(home: str, sources: str, first: str, last: str) -> None:
    """Capture, build and publish."""
    engine = Engine(load_settings(Path(home), Path(sources)))
    begin, count = date.fromisoformat(first), (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    days = [begin + timedelta(days=n) for n in range(count)]
    for source in engine.settings.sources:
        client = connect(source, AGENT_STATES)
        engine.lake.request(source.vendor, AGENT_STATES.name, source.name, midnight(begin))
        capture(client, engine.lake, vendor=source.vendor, source=source.name, feed=AGENT_STATES, days=days)
    for model in engine.models.values():
        if model.kind in {"day", "segment"}:
            engine.build(model.table, days)
        elif model.kind == "whole" and not any(parent in engine.models for parent in model.parents):
            engine.builder.build(model, None)
    engine.warehouse.publish(days)


if __name__ == "__main__":
    main(*sys.argv[1:])
