"""What ``shiftbook forget`` says: what it found, what it did, and what is beyond its reach. Words alone."""

from collections.abc import Iterator

from orchestration.forget import Survey
from orchestration.tombstones import Deed

BEYOND = (
    "beyond reach: the vendor itself, your roster and schedule, reports copied elsewhere, pseudonyms of earlier keys, "
    "backups, and whoever has the warehouse open"
)


def found(survey: Survey, source: str) -> Iterator[str]:
    """What would be done."""
    days = sorted({day for _, day in survey.days})
    span = f", {days[0]} to {days[-1]}" if days else ""
    yield f"{survey.pages} raw replies of {source} name this agent, on {len(days)} days{span}"
    yield f"{len(survey.exports)} days of reports and {len(survey.texts)} logs or databases of Dagster do"
    yield from (str(path) for path in (*survey.exports, *survey.texts))
    yield from _also(survey)
    if survey.waiting:
        yield f"{len(survey.waiting)} files of the spool are not sealed yet; what they say passes through the same cut"
    yield BEYOND
    yield "nothing was changed; repeat it with --yes to remove all of it, for good"


def done(deed: Deed, survey: Survey, left: Survey) -> Iterator[str]:
    """What was done."""
    yield (
        f"{deed.pages} raw replies cut, {deed.files} files written, {deed.days} days built anew; "
        f"{deed.exports} days of reports and {deed.texts} logs or databases cleaned"
    )
    yield from _also(survey)
    if left.waiting:
        yield f"{len(left.waiting)} files of the spool are still written by a recorder; repeat this once it sealed them"
    if left.pages:
        yield f"{left.pages} replies that came meanwhile name them; repeat this"
    if left.staged:
        yield f"staged rows of {len({day for _, day in left.staged})} days name them; repeat this"
    yield from (f"still there: {path}" for path in (*left.exports, *left.texts))
    yield BEYOND


def _also(survey: Survey) -> Iterator[str]:
    for source, agent in survey.aliases:
        yield f"agent {agent} of {source} bears the same name; if it is the same person, forget them there, too"
    if survey.unreadable:
        yield f"{len(survey.unreadable)} files in lake/unreadable cannot be searched; delete them"
