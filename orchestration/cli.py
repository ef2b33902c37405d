"""The ``shiftbook`` command: what a person types, and what is printed back.

Each command parses its words, calls what does the work, prints a table or JSON, and exits with 0 only when all is well.
"""

import asyncio
import logging
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import click
import duckdb
from assets.reports.model import EXTENSIONS

from orchestration.console import ERR, OUT, progress_bar, show
from orchestration.settings import Settings, SettingsError, home_of, load_settings

if TYPE_CHECKING:
    from orchestration.resources import Engine

DAY = click.DateTime(formats=["%Y-%m-%d"])
FORMATS = click.Choice([*EXTENSIONS])


class _Commands(click.Group):
    """Commands that tell of wrong settings, a full disk, and raw segments that are gone, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        from orchestration.removed import RawRemovedError
        from orchestration.room import full, is_full

        try:
            return super().invoke(ctx)
        except (RawRemovedError, SettingsError) as error:
            fail(str(error))
        except Exception as error:
            if not is_full(error):
                raise
            fail(str(full(home_of(ctx.params["home"]))))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", type=click.Path(path_type=Path), help="Where everything is kept [SHIFTBOOK_HOME or ./data].")
@click.option(
    "--sources",
    type=click.Path(path_type=Path),
    help="The sources' configuration [SHIFTBOOK_SOURCES or ./sources.yaml].",
)
@click.version_option(package_name="shiftbook")
@click.pass_context
def main(context: click.Context, home: Path | None, sources: Path | None) -> None:
    """Keep the history that contact-centre platforms forget: agent timelines, occupancy, transfers."""
    context.obj = {"home": home, "sources": sources}


def home_to_write(context: click.Context) -> Path:
    """The home that the global options name; one that is somebody else's ends the command."""
    from orchestration.owner import OwnerError, confirm_owner

    home = home_of(context.obj["home"])
    try:
        confirm_owner(home)
    except OwnerError as error:
        fail(str(error))
    return home


def settings_to_read(context: click.Context) -> Settings:
    """The configuration that the global options name; every problem in it is printed, and the command ends."""
    try:
        return load_settings(context.obj["home"], context.obj["sources"])
    except SettingsError as error:
        fail(str(error))


def settings_of(context: click.Context) -> Settings:
    """The same for a command that may write into the home."""
    home_to_write(context)
    return settings_to_read(context)


def engine_of(context: click.Context, *, writes: bool = True) -> "Engine":
    """The tools on the home that the global options name; what is wrong in a table they need ends the command."""
    from orchestration.csv_tables import TableError
    from orchestration.resources import Engine

    engine = Engine(settings_of(context) if writes else settings_to_read(context))
    try:
        _ = engine.builder
    except TableError as error:
        fail(str(error))
    return engine


def fail(message: str) -> Never:
    """Say what is wrong and end with 1."""
    ERR.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


@main.command()
@click.option("--from", "first", type=DAY, help="First UTC day.")
@click.option("--to", "last", type=DAY, help="Last UTC day, inclusive.")
@click.option("--stale", is_flag=True, help="Instead: just the days built before a model, map or segment changed.")
@click.option("--source", "sources", multiple=True, help="Only this source; may be given several times.")
@click.option("--select", help="Only these assets, as in Dagster's selection syntax: 'marts/fct_transfers+'.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def backfill(
    context: click.Context,
    first: datetime | None,
    last: datetime | None,
    sources: tuple[str, ...],
    select: str | None,
    *,
    stale: bool,
    as_json: bool,
) -> None:
    """Capture what is missing and build those days. Can be stopped and run again at any time."""
    from orchestration.backfill import BackfillError, Report, Runner, recorded
    from orchestration.leftovers import cancel_own_runs
    from orchestration.stopping import STOPPED, StoppedError, leave, stoppable

    if stale and (first or last or sources or select):
        raise click.UsageError("--stale finds the days by itself and builds all of them; give it alone")
    if not stale and (first is None or last is None):
        raise click.UsageError("say which days by --from and --to, or --stale for those that are out of date")
    engine = engine_of(context)

    def work() -> Report:
        if first and last:
            return Runner(engine, first.date(), last.date()).backfill(first.date(), last.date(), sources, select)
        days = engine.out_of_date_days()
        return Runner(engine, days[0], days[-1]).rebuild(days) if days else Report()

    try:
        with progress_bar("backfill", None, quiet=as_json) as engine.progress:
            report = stoppable(work)
    except BackfillError as error:
        fail(str(error))
    except StoppedError:
        with recorded(engine) as instance:
            list(cancel_own_runs(instance))
        ERR.print("stopped; run it again to go on", style="red")
        leave(STOPPED)
    rows = [
        {"asset": f.asset, "check": f.check, "severity": "error" if f.error else "warning", "message": f.message}
        for f in report.findings
    ] + [{"asset": "", "check": "", "severity": "failure", "message": failure} for failure in report.failures]
    if rows or as_json:
        show(rows, as_json=as_json, title="what is not well")
    if not as_json:
        ERR.print(f"{len(report.days)} days built; warehouse: {engine.settings.warehouse_path}", style="dim")
    sys.exit(0 if report.ok else 1)


@main.command()
@click.option("--source", "sources", multiple=True, help="Only this source; may be given several times.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="End after so many seconds [not before Ctrl-C].")
@click.pass_context
def record(context: click.Context, sources: tuple[str, ...], seconds: float | None) -> None:
    """Capture the present of every enabled source, in the foreground; takes over from one that runs already."""
    from orchestration.recorder import RecorderError
    from orchestration.recorder import record as run

    settings = settings_of(context)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        found = asyncio.run(run(settings, sources, seconds))
    except RecorderError as error:
        fail(str(error))
    for name, trouble in found.items():
        if trouble:
            ERR.print(f"{name} is not recorded: {trouble}", style="red", markup=False, highlight=False)
    sys.exit(1 if any(found.values()) else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def sources(context: click.Context, as_json: bool) -> None:
    """How each source and feed is doing now: observed until, lag, gaps, hours until unfetched data is lost, rejects.

    What the recorder knows counts at once, without a build.
    """
    from orchestration.health import feed_health

    rows = feed_health(engine_of(context, writes=False))
    show(rows, as_json=as_json)
    sys.exit(1 if any(row["last_error"] for row in rows) else 0)


@main.command()
@click.argument("query_text", metavar="[QUERY]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a heading, times in ISO form, all rows.")
@click.pass_context
def sql(context: click.Context, query_text: str | None, as_json: bool, as_csv: bool) -> None:
    """Ask the warehouse, read-only, in UTC. Without a query: an interactive shell, or the statements on standard input.

    In the shell .tables lists tables and macros, .describe NAME the columns of one, each with its comment.
    """
    from orchestration.shell import Form, converse, run

    settings = Settings(home_of(context.obj["home"]))
    if not settings.warehouse_path.exists():
        fail(f"{settings.warehouse_path} is not there yet; run 'shiftbook backfill' or 'shiftbook publish' first")
    form: Form = "csv" if as_csv else "json" if as_json else "table"
    if query_text is None and sys.stdin.isatty():
        converse(settings.warehouse_path, form)
        return
    try:
        run(settings.warehouse_path, query_text if query_text is not None else sys.stdin.read(), form)
    except duckdb.Error as error:
        fail(str(error))


@main.command()
@click.argument("name")
@click.option("--date", "day", type=DAY, required=True, help="Calendar day in the report's time zone.")
@click.option("--format", "formats", multiple=True, type=FORMATS, help="Only this format; may be given several times.")
@click.option("--agent", "agents", multiple=True, help="Only of the agent with this id; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def report(
    context: click.Context,
    name: str,
    day: datetime,
    formats: tuple[str, ...],
    agents: tuple[str, ...],
    as_json: bool,
) -> None:
    """Render the report NAME now and print where its files are; the same figures are not issued twice."""
    from orchestration.delivery import DeliveryError
    from orchestration.reporting import ReportError, issue, narrowed, report_named

    settings = settings_of(context)
    try:
        config = narrowed(report_named(settings, name), formats, agents)
        issued = issue(settings, config, day.date())
    except (ReportError, DeliveryError) as error:
        fail(str(error))
    wanted = set(formats or config.formats)
    files = [file for file in issued.edition.files if file.format in wanted]
    rows = [
        {"path": str(issued.folder / f.name), "format": f.format, "rows": f.rows, "edition": issued.edition.edition}
        for f in files
    ]
    if as_json:
        show(rows, as_json=True)
        return
    for warning in issued.edition.warnings:
        ERR.print(warning, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for row in rows:
        OUT.print(str(row["path"]), markup=False, highlight=False, soft_wrap=True)


@main.command()
@click.pass_context
def publish(context: click.Context) -> None:
    """Write warehouse.duckdb and the overview anew from the lake, for instance after that was moved elsewhere."""
    from orchestration.overview import write_overview

    engine = engine_of(context)
    with progress_bar("publish", None):
        engine.warehouse.publish()
        write_overview(engine.settings, engine.lake)
    OUT.print(str(engine.settings.warehouse_path), markup=False, highlight=False)


@main.command()
@click.pass_context
def compact(context: click.Context) -> None:
    """Merge the segments of closed days into one file each; no row changes and nothing is rebuilt."""
    from orchestration.compaction import CompactionError, compact_closed_days

    engine = engine_of(context)
    try:
        with progress_bar("compact", None) as step:
            merged = compact_closed_days(engine.builder, engine.feeds, step)
    except CompactionError as error:
        fail(str(error))
    engine.warehouse.publish()
    engine.warehouse.clean()
    OUT.print(f"{merged} days merged", highlight=False)


@main.command()
@click.argument("agent")
@click.option("--source", help="The agent's source; needed where several have an agent of this id.")
@click.option("--yes", is_flag=True, help="Do it; without, it is only told what would be done.")
@click.pass_context
def forget(context: click.Context, agent: str, source: str | None, yes: bool) -> None:
    """Remove an agent, by the vendor's id, from replies, tables, exports and logs, and keep them out from now on."""
    from orchestration.forget import ForgetError, Forgetting
    from orchestration.forget_words import done, found

    engine = engine_of(context)
    try:
        forgetting = Forgetting(engine, agent, source)
    except ForgetError as error:
        fail(str(error))
    with progress_bar("forget", None) as engine.progress:
        survey = forgetting.survey()
        deed, left = forgetting.carry_out(survey) if yes else (None, survey)
    for line in found(survey, forgetting.source) if deed is None else done(deed, survey, left):
        OUT.print(line, markup=False, highlight=False, soft_wrap=True)
    sys.exit(1 if deed is not None and (left.found or left.waiting) else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def housekeeping(context: click.Context, as_json: bool) -> None:
    """Merge closed days, and remove what is no longer needed: superseded builds, old raw segments, runs and remains."""
    from orchestration.backfill import recorded
    from orchestration.housekeeping import housekeep

    engine = engine_of(context)
    with progress_bar("housekeeping", None, quiet=as_json) as engine.progress, recorded(engine) as instance:
        rows = [asdict(chore) for chore in housekeep(engine, instance)]
    show(rows, as_json=as_json)
    sys.exit(1 if any(row["error"] for row in rows) else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check configuration, credentials, reachability, permissions, clock drift and disk, and say how to mend."""
    from orchestration.doctor import examine

    settings = settings_of(context)
    rows = []
    for finding in examine(settings):
        rows.append({"subject": finding.subject, "check": finding.check, "ok": finding.ok, "message": finding.message})
        if not as_json:
            mark = "[green]ok[/]  " if finding.ok else "[red]bad[/] "
            OUT.print(mark, end="")
            OUT.print(f"{finding.subject}: {finding.check}: {finding.message}", markup=False, highlight=False)
    if as_json:
        show(rows, as_json=True)
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True, help="Port of the UI; 0: free.")
@click.pass_context
def up(context: click.Context, port: int) -> None:
    """Run it for real: Dagster's webserver and daemon, and the recorder. One Ctrl-C stops all of it."""
    from orchestration.up import UpError, run

    try:
        sys.exit(run(engine_of(context).settings, port))
    except UpError as error:
        fail(str(error))


@main.command(name="serve-simulator")
@click.option("--port", type=click.IntRange(0, 65532), default=8765, show_default=True, help="First of four ports.")
@click.option("--seed", default=1, show_default=True, help="What the simulated centre is grown from.")
@click.option("--agents", default=100, show_default=True, help="How many agents work there.")
@click.option("--days", default=3, show_default=True, help="How many days of history there are.")
@click.option(
    "--files",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder, made if need be, that gets the files of Huawei's CC-FS, one for six hours of the centre's time.",
)
def serve_simulator(port: int, seed: int, agents: int, days: int, files: Path | None) -> None:
    """Serve the simulated vendors alone, until Ctrl-C; prints their addresses and credentials as JSON."""
    from orchestration.demo import serve

    try:
        serve(port, seed, agents, days, files)
    except OSError as error:
        fail(f"the simulator cannot be served, with ports from {port}: {error}")


@main.command()
@click.option("--days", default=3, show_default=True, help="How many days are simulated and captured.")
@click.option("--agents", default=100, show_default=True, help="How many agents work there.")
@click.option("--seed", default=1, show_default=True, help="What the simulated centre is grown from.")
@click.option(
    "--serve", "keep", is_flag=True, help="Keep the simulator, the recorder and the Dagster UI running afterwards."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def demo(context: click.Context, days: int, agents: int, seed: int, keep: bool, as_json: bool) -> None:
    """Watch a simulated contact centre turn into timelines, occupancy and transfers, beside its own truth."""
    from orchestration.demo import DemoError, run

    try:
        sys.exit(0 if run(home_to_write(context), days, agents, seed, keep=keep, as_json=as_json) else 1)
    except DemoError as error:
        fail(str(error))
