"""What ``shiftbook doctor`` looks at: configuration, whom to tell, each source's vendor, the clock, and the disk.

Only looks and tells; nothing is captured, built or changed.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assets.registry import connect, connect_live

from orchestration.aside import unreadable, what_to_do
from orchestration.constants import read_people
from orchestration.csv_tables import TableError, read_state_map
from orchestration.room import room
from orchestration.settings import Settings, feeds_of
from orchestration.webhook import fault_of

_ENOUGH_BYTES = 2 * 1024**3
_ENOUGH_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``message`` says what was found and, if it is bad, how to mend it."""

    subject: str
    check: str
    ok: bool
    message: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one finding after the other; never raises for what it finds."""
    named = len(settings.sources)
    yield Finding(
        "configuration",
        "sources",
        named > 0,
        f"{named} sources in {settings.sources_file}"
        if named
        else "no source is configured; write one into sources.yaml (the one in the repository shows how)",
    )
    yield _tables(settings)
    yield _webhook(settings)
    yield from _home(settings.home)
    yield _files(settings.lake_dir)
    for source in settings.sources:
        if not source.enabled:
            yield Finding(source.name, "enabled", ok=True, message="switched off by 'enabled: false'")
            continue
        try:
            for feed in feeds_of(source):
                client = connect_live(source, feed) if feed.live else connect(source, feed)
                for probe in client.probe():
                    yield Finding(source.name, f"{feed.name}: {probe.name}", probe.ok, probe.message)
        except (OSError, ValueError) as error:
            yield Finding(source.name, "client", ok=False, message=str(error))


def _tables(settings: Settings) -> Finding:
    try:
        read_state_map([settings.state_map] if settings.state_map else [])
        people = read_people(settings)
    except TableError as error:
        return Finding("configuration", "tables", ok=False, message=str(error))
    found = f"{len(people.roster)} rows of the roster, plans for {len(people.schedule.by_day)} days"
    return Finding("configuration", "tables", ok=True, message=found)


def _webhook(settings: Settings) -> Finding:
    if settings.alarms is None:
        return Finding("alarms", "webhook", ok=True, message="none: alarms stand in Dagster and the log alone")
    fault = fault_of(settings.alarms)
    text = fault or f"${{{settings.alarms.webhook.variable}}} is an address"
    return Finding("alarms", "webhook", fault is None, text)


def _files(lake: Path) -> Finding:
    found = unreadable(lake)
    if not found:
        return Finding("home", "files", ok=True, message="none was set aside")
    text = f"{len(found)} could not be read and were set aside, the first: {found[0]}. {what_to_do(lake, found[0])}"
    return Finding("home", "files", ok=False, message=text)


def _home(home: Path) -> Iterator[Finding]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home):
            pass
    except OSError as error:
        yield Finding("home", "writable", ok=False, message=f"{home}: {error.strerror}; give this user the folder")
        return
    yield Finding("home", "writable", ok=True, message=str(home))
    free, files = room(home)
    text = f"{free / 1024**3:.1f} GiB free"
    enough = free >= _ENOUGH_BYTES and files >= _ENOUGH_FILES
    if files < _ENOUGH_FILES:
        text += f", room for {files} files"
    advice = (
        "make room, at least 2 GiB and 20,000 files are wanted; 'shiftbook housekeeping' removes what is not needed"
    )
    yield Finding("home", "disk", enough, text if enough else f"{text}; {advice}")
