"""The only reader of the environment: ``sources.yaml``, ``reports.yaml`` and ``SHIFTBOOK_*`` become typed settings.

Or all their errors. What a source may say stands in ``assets/config.py`` and the vendors' packages, what a report may
in ``assets/reports/config.py``. No Dagster, no vendor's name, and nothing is created: a folder comes to be when
something is first put in it.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, TypedDict, TypeVar

import pytz
from assets.config import SOURCE_NAME, Origin, PresentFile, Secret, Section, SourceConfig
from assets.feeds import Feed
from assets.registry import VENDORS
from assets.reports.config import OverviewConfig, ReportConfig, all_reports
from pydantic import AfterValidator, Field, FiniteFloat, ValidationError
from pydantic_core import ErrorDetails

from orchestration.yaml_files import SettingsError, read_yaml

__all__ = ["Settings", "SettingsError", "feed_rows", "feeds_of", "home_of", "load_settings", "sql_dir"]

REPORTS_FILE = "reports.yaml"
_S = TypeVar("_S", bound=Section)


class Alarms(Section):
    """Whom to tell what goes wrong, beside the log.

    Attributes:
        webhook: An address that takes a ``POST``. A secret, since it may hold a token.
        format: ``json`` (docs/operations.md), or ``slack``: one text.
        allow_http: Whether the address may be plain http to another machine.
    """

    webhook: Secret
    format: Literal["json", "slack"] = "json"
    allow_http: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the configuration says; paths are absolute.

    Attributes:
        home: Where everything is kept; docs/operations.md, Install, says what lies where.
        sources_file: The file that was read; none when there is none.
        report_timezone: IANA zone of reports.
        roster: CSV of who the agents are and in which team, if any.
        state_map: CSV laid over the built-in map of states, if any.
        schedule: CSV of what was planned for whom, if any.
        adherence_map: CSV laid over the built-in map of what keeps to a planned activity, if any.
        adherence_threshold_seconds: Shorter deviations from what was planned count as keeping to it.
        alarms: Whom to tell what goes wrong; the log alone without.
        sources: The sources in the order of the file, disabled ones too.
        reports: The reports in the order of ``reports.yaml``, disabled ones too; without that file all there are.
        overview: Whether there is an overview, and whether it names people.
    """

    home: Path
    sources_file: Path | None = None
    report_timezone: str = "UTC"
    roster: Path | None = None
    state_map: Path | None = None
    schedule: Path | None = None
    adherence_map: Path | None = None
    adherence_threshold_seconds: float = 0.0
    alarms: Alarms | None = None
    sources: tuple[SourceConfig, ...] = ()
    reports: tuple[ReportConfig, ...] = field(default_factory=all_reports)
    overview: OverviewConfig = field(default_factory=OverviewConfig)

    @property
    def lake_dir(self) -> Path:
        """Raw segments and the tables built from them."""
        return self.home / "lake"

    @property
    def spool_dir(self) -> Path:
        """What the recorder heard and has not sealed yet."""
        return self.home / "spool"

    @property
    def warehouse_path(self) -> Path:
        """The published DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def alarms_path(self) -> Path:
        """Which alarms were told, and which still are to be."""
        return self.home / "alarms.json"

    @property
    def exports_dir(self) -> Path:
        """Rendered reports."""
        return self.home / "exports"

    @property
    def dagster_home(self) -> Path:
        """``DAGSTER_HOME``."""
        return self.home / "dagster"


class FeedRow(TypedDict):
    """A row of the table of configured feeds; grain: source, feed. Durations in seconds."""

    source: str
    vendor: str
    feed: str
    delay_seconds: float
    retention_seconds: float
    window_seconds: float
    state_bearing: bool
    uncertainty_seconds: float
    event_timezone: str
    sample_seconds: float | None
    hold_seconds: float | None
    tolerance_seconds: float
    sums_unit_seconds: float
    stuck_after_hours: float


def feeds_of(source: SourceConfig) -> tuple[Feed, ...]:
    """The feeds that a source captures, as it has them: those it names, else all of its vendor, in their order."""
    return tuple(source.promised(feed) for feed in VENDORS[source.vendor].feeds if source.captures(feed.name))


def feed_rows(settings: Settings) -> list[FeedRow]:
    """The promises of every configured feed, for SQL; disabled sources too, whose history is still read."""
    return [
        FeedRow(
            source=source.name,
            vendor=source.vendor,
            feed=feed.name,
            delay_seconds=feed.delay.total_seconds(),
            retention_seconds=feed.retention.total_seconds(),
            window_seconds=feed.window.total_seconds(),
            state_bearing=feed.state_bearing,
            uncertainty_seconds=feed.uncertainty.total_seconds(),
            event_timezone=feed.event_timezone,
            sample_seconds=source.sample_seconds(feed.name),
            hold_seconds=source.hold_seconds(feed.name),
            tolerance_seconds=source.tolerance_seconds,
            sums_unit_seconds=source.sums_unit_seconds(),
            stuck_after_hours=source.stuck_after_hours,
        )
        for source in settings.sources
        for feed in feeds_of(source)
    ]


def sql_dir() -> Path:
    """The folder of SQL models: ``_sql`` in an installed package, ``sql`` in a checkout."""
    here = Path(__file__).parent
    packaged = here / "_sql"
    return packaged if packaged.is_dir() else here.parent / "sql"


def home_of(home: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Where everything is kept, for what needs no sources: the argument, ``SHIFTBOOK_HOME``, or ``./data``."""
    environ = os.environ if environ is None else environ
    return (home or Path(environ.get("SHIFTBOOK_HOME") or "data")).absolute()


def load_settings(
    home: Path | None = None, sources: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings; arguments win over ``SHIFTBOOK_HOME`` and ``SHIFTBOOK_SOURCES``, those over the defaults.

    Without a file of sources there are none, unless one was asked for. Secrets are not read here but when used.

    Args:
        home: Where everything is kept, default ``./data``.
        sources: The file of sources, default ``./sources.yaml``.
        environ: The environment, default the process's own, kept live.

    Raises:
        SettingsError: With every problem found.
    """
    environ = os.environ if environ is None else environ
    home = home_of(home, environ)
    asked = sources or environ.get("SHIFTBOOK_SOURCES")
    file = Path(asked or "sources.yaml").absolute()
    problems: list[str] = []
    reports, overview = _reports(file.with_name(REPORTS_FILE), environ, problems)
    if not asked and not file.exists():
        if problems:
            raise SettingsError(problems)
        return Settings(home, reports=reports, overview=overview)
    keys = read_yaml(file)
    entries = keys.pop("sources", None)
    top = _validated(_TopLevel, keys, Origin(file, environ=environ), problems, also=["sources"])
    configs = _sources(entries, Origin(file, environ=environ, pace_dir=home / "pace"), problems)
    known = {config.name for config in configs}
    problems.extend(
        f"{file.with_name(REPORTS_FILE)}: report {report.name}: sources: there is no source {name} in {file.name}"
        for report in reports
        for name in report.sources or ()
        if not problems and name not in known
    )
    if problems or top is None:
        raise SettingsError(problems)
    return Settings(home, file, **dict(top), sources=tuple(configs), reports=reports, overview=overview)


def _zone(value: str) -> str:
    # pytz and not zoneinfo: its list is the same on every machine and holds only what DuckDB knows too.
    if value not in pytz.all_timezones_set:
        raise ValueError(f"must be an IANA time zone, as Europe/Berlin{_meant(value, pytz.all_timezones)}")
    return value


class _TopLevel(Section):
    """The keys beside ``sources``."""

    report_timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    roster: PresentFile | None = None
    state_map: PresentFile | None = None
    schedule: PresentFile | None = None
    adherence_map: PresentFile | None = None
    adherence_threshold_seconds: Annotated[FiniteFloat, Field(ge=0)] = 0.0
    alarms: Alarms | None = None


def _sources(entries: object, whole: Origin, problems: list[str]) -> list[SourceConfig]:
    if entries is None:
        return []
    if not isinstance(entries, list):
        problems.append(f"{whole.file}: sources: must be a list; begin each source with `- name:`")
        return []
    configs: list[SourceConfig] = []
    positions: dict[str, int] = {}
    for position, entry in enumerate(entries, start=1):
        name = entry.get("name") if isinstance(entry, dict) else None
        named = name if isinstance(name, str) and SOURCE_NAME.fullmatch(name) else None
        origin = replace(whole, source=f"source {named or position}")
        if named is not None and positions.setdefault(named, position) != position:
            both = f"sources {positions[named]} and {position}"
            problems.append(f"{origin.place('name')}: {both} have the same name; rename one")
        config = _source(entry, origin, problems)
        if config is not None:
            configs.append(config)
    return configs


def _reports(
    file: Path, environ: Mapping[str, str], problems: list[str]
) -> tuple[tuple[ReportConfig, ...], OverviewConfig]:
    """What ``reports.yaml``, beside the file of sources, says; without one, or a list in it, all reports there are."""
    if not file.exists():
        return all_reports(), OverviewConfig()
    keys = read_yaml(file)
    page = _overview(keys.pop("overview", None), Origin(file, "overview", environ), problems)
    if "reports" not in keys and page and not keys:
        return all_reports(), page
    entries = keys.pop("reports", None) or []
    problems.extend(f"{Origin(file).place(key)}: unknown key; reports stand under `reports:`" for key in keys)
    if not isinstance(entries, list):
        problems.append(f"{file}: reports: must be a list; begin each report with `- name:`")
        return (), OverviewConfig()
    found: dict[str, ReportConfig] = {}
    for position, entry in enumerate(entries, start=1):
        name = entry.get("name") if isinstance(entry, dict) else None
        named = isinstance(name, str) and SOURCE_NAME.fullmatch(name)
        origin = Origin(file, f"report {name if named else position}", environ)
        if not isinstance(entry, dict):
            problems.append(f"{origin.place('')}: must have keys, as `name:`")
        elif isinstance(name, str) and name in found:
            problems.append(f"{origin.place('name')}: there are two reports of this name; rename one")
        elif config := _validated(ReportConfig, entry, origin, problems):
            found[config.name] = config
    return tuple(found.values()), page or OverviewConfig()


def _overview(entry: object, origin: Origin, problems: list[str]) -> OverviewConfig | None:
    if entry is None:
        return None
    if not isinstance(entry, dict):
        problems.append(f"{origin.place('')}: must have keys, as `pseudonymise:`")
        return None
    return _validated(OverviewConfig, entry, origin, problems)


def _source(entry: object, origin: Origin, problems: list[str]) -> SourceConfig | None:
    if not isinstance(entry, dict):
        problems.append(f"{origin.place('')}: must have keys, as `name:` and `vendor:`")
        return None
    vendor = entry.get("vendor")
    known = VENDORS.get(vendor) if isinstance(vendor, str) else None
    if known is None:
        what = "unknown vendor" if "vendor" in entry else "is required"
        guess = _meant(vendor, VENDORS) if isinstance(vendor, str) else ""
        problems.append(f"{origin.place('vendor')}: {what}; known vendors: {', '.join(VENDORS)}{guess}")
        return None
    config = _validated(known.config, entry, origin, problems)
    offered = [feed.name for feed in known.feeds]
    unknown = [feed for feed in (config.feeds if config else None) or () if feed not in offered]
    problems.extend(
        f"{origin.place('feeds')}: unknown feed; {vendor} has {', '.join(offered)}{_meant(feed, offered)}"
        for feed in unknown
    )
    return config


def _validated(
    model: type[_S], values: dict[str, object], origin: Origin, problems: list[str], also: Iterable[str] = ()
) -> _S | None:
    """The section, or none and its problems appended; ``also`` are keys that are known beside the model's."""
    try:
        return model.model_validate(values, context=origin)
    except ValidationError as error:
        known = [*model.model_fields, *also]
        items = error.errors(include_input=False, include_url=False)
        problems.extend(f"{origin.place(_key(item['loc']))}: {_wording(item, known)}" for item in items)
        return None


def _key(location: tuple[int | str, ...]) -> str:
    """``agents[0].password``. What is no name is not repeated: ``{password:x}``, without a space, is a key in YAML."""
    key = ""
    for part in location:
        if isinstance(part, int):
            key += f"[{part}]"
        else:
            key += f".{part}" if re.fullmatch(r"[A-Za-z][\w-]*", part) else ".(a key that is no name)"
    return key.removeprefix(".")


def _wording(item: ErrorDetails, known: Iterable[str]) -> str:
    """What is wrong, in words of the file instead of Python's, and what to write."""
    kind, location = item["type"], item["loc"]
    if kind == "extra_forbidden":
        guess = _meant(str(location[-1]), known) if len(location) == 1 else ""
        return f"unknown key{guess or '; remove it'}"
    if kind == "value_error":
        return str(item["ctx"]["error"])
    return _WORDS.get(kind) or item["msg"].replace("Input should be", "must be", 1)


_WORDS = {
    "missing": "is required; add it",
    "string_type": "must be a text; put it in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "path_type": "must be a path",
    "tuple_type": "must be a list, as [one, two]",
    "is_instance_of": "is required; write ${NAME} and set the environment variable NAME",
    "model_type": "must have keys, as {key: value}",
    "invalid_key": "a key must be a text; put it in quotes or remove it",
}


def _meant(value: str, known: Iterable[str]) -> str:
    guesses = difflib.get_close_matches(value, known, n=1)
    return f"; did you mean {guesses[0]}?" if guesses else ""
