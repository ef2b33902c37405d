"""A Model into a Dagster asset with its checks, columns, lineage and link to the SQL.

What building means belongs in ``builder.py``; here is only what Dagster is told of it.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from importlib import import_module, metadata
from typing import Any

import dagster as dg

from orchestration.builder import Outcome, Verdict
from orchestration.cache import Cache
from orchestration.models import Check, Model
from orchestration.overview import overview_path, refresh_overview
from orchestration.partitions import days_of, days_of_run, window_mapping
from orchestration.resources import Engine
from orchestration.story import figures, picture

OWNERS = ["team:operations"]
JUDGED_DAYS, FAILING_DAYS = "judged_days", "failing_days"
"""Metadata of an evaluation: the UTC days that it looked at and those with rows that break the check."""

_PICTURED = "marts.fct_agent_timeline"


def model_assets(
    engine: Engine, days: dg.PartitionsDefinition[str], *, lineage: bool = True
) -> list[dg.AssetsDefinition]:
    """One asset per model, and one step that publishes the warehouse with the whole tables.

    ``lineage`` of columns takes seconds to find, and only the UI shows it.
    """
    ahead, behind = ordered(engine)
    made = [_asset(engine, model, days, lineage=lineage) for model in ahead]
    return [*made, _publishing(engine, behind, lineage=lineage)]


def ordered(engine: Engine) -> tuple[list[Model], list[Model]]:
    """The models that are built one after the other, and those that are made when the warehouse is published."""
    ahead: list[Model] = []
    behind: list[Model] = []
    for model in engine.models.values():
        with_days = any(engine.models[p].kind != "whole" for p in model.parents if p in engine.models)
        (behind if model.kind in {"whole", "view"} and with_days else ahead).append(model)
    return ahead, behind


def key_of(table: str) -> dg.AssetKey:
    """``marts.dim_agents`` is the asset ``marts/dim_agents``."""
    return dg.AssetKey(table.split("."))


def _asset(engine: Engine, model: Model, days: dg.PartitionsDefinition[str], *, lineage: bool) -> dg.AssetsDefinition:
    checks = engine.checks[model.table]
    partitioned = model.kind != "whole"

    @dg.multi_asset(
        name=model.table.replace(".", "__"),
        specs=[_spec(engine, model, days if partitioned else None, lineage=lineage)],
        check_specs=[_check_spec(check) for check in checks],
        partitions_def=days if partitioned else None,
        backfill_policy=dg.BackfillPolicy.single_run() if partitioned else None,
    )
    def build(
        context: dg.AssetExecutionContext, engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        if partitioned:
            wanted = days_of(context)
            outcomes = engine.build(model.table, wanted)
            for outcome in outcomes:
                context.add_asset_metadata(
                    {**_metadata([outcome]), **_story(engine, outcome)},
                    asset_key=key_of(model.table),
                    partition_key=str(outcome.day),
                )
        else:
            wanted, outcomes = [], [engine.builder.build(model, None)]
        yield dg.MaterializeResult(
            asset_key=key_of(model.table),
            metadata={} if partitioned else _metadata(outcomes),
            check_results=[result_of(engine.builder.judge(check, wanted), wanted) for check in checks],
        )

    return build


def _publishing(engine: Engine, models: Sequence[Model], *, lineage: bool) -> dg.AssetsDefinition:
    last = [model.table for model in engine.models.values() if model not in models and model.kind == "day"]
    checks = [check for model in models for check in engine.checks[model.table]]
    warehouse = dg.AssetSpec(
        "warehouse",
        description="warehouse.duckdb: views over the builds of one moment, macros and comments, for analysts. "
        "A connection is one consistent snapshot.",
        deps=[dg.AssetDep(key_of(table), partition_mapping=dg.AllPartitionMapping()) for table in last],
        group_name="marts",
        kinds={"duckdb"},
        owners=OWNERS,
    )

    overview = dg.AssetSpec(
        ["reports", "overview"],
        description="exports/overview/index.html: who does what now and the day so far beside the same weekday a week "
        "before, for a supervisor's wall. Written anew with each build.",
        deps=["warehouse"],
        group_name="reports",
        kinds={"html"},
        owners=OWNERS,
        skippable=True,
    )

    @dg.multi_asset(
        name="publish",
        specs=[*(_spec(engine, model, None, lineage=lineage) for model in models), warehouse, overview],
        check_specs=[_check_spec(check) for check in checks],
    )
    def publish(
        context: dg.AssetExecutionContext, engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        days = days_of_run(context.run.tags)
        outcomes = {o.table: o for o in engine.warehouse.publish(days)}
        engine.warehouse.clean(days)
        for model in models:
            yield dg.MaterializeResult(
                asset_key=key_of(model.table),
                metadata=_metadata([outcomes[model.table]]) if model.table in outcomes else {},
                check_results=[result_of(engine.builder.judge(check, []), []) for check in engine.checks[model.table]],
            )
        path = engine.settings.warehouse_path
        yield dg.MaterializeResult(
            asset_key="warehouse",
            metadata={"path": dg.MetadataValue.path(str(path)), "bytes": path.stat().st_size},
        )
        started = time.perf_counter()
        if refresh_overview(engine.settings, engine.lake, context.log.warning):
            seconds = round(time.perf_counter() - started, 3)
            path = overview_path(engine.settings)
            yield dg.MaterializeResult(
                asset_key=overview.key, metadata={"path": dg.MetadataValue.path(str(path)), "seconds": seconds}
            )

    return publish


def _spec(engine: Engine, model: Model, days: dg.PartitionsDefinition[str] | None, *, lineage: bool) -> dg.AssetSpec:
    types = engine.builder.types
    known = {table: types[table] for table in model.parents if table in types}
    found = _found_lineage(engine, model, known) if lineage else {}
    return dg.AssetSpec(
        key_of(model.table),
        description=model.description,
        deps=list(_deps(engine, model)),
        group_name=model.schema,
        owners=OWNERS,
        kinds={"duckdb", "sql", *(() if model.kind == "view" else ("parquet",))},
        code_version=model.version,
        partitions_def=days,
        metadata={
            "grain": ", ".join(model.grain),
            "dagster/table_name": model.table,
            "dagster/column_schema": _columns(model, types[model.table]),
            "dagster/column_lineage": _lineage(engine, found),
            "dagster/code_references": dg.CodeReferencesMetadataValue(
                code_references=[
                    dg.LocalFileCodeReference(file_path=str(model.path), line_number=1, label=model.path.name)
                ]
            ),
        },
    )


def _found_lineage(
    engine: Engine, model: Model, known: Mapping[str, Mapping[str, str]]
) -> dict[str, set[tuple[str, str]]]:
    """Where columns come from, as found before if it was: all models take 20 s, in each of Dagster's processes."""
    question = json.dumps([f"lineage by sqlglot {metadata.version('sqlglot')}", model.sql, known])

    def find() -> dict[str, set[tuple[str, str]]]:
        found: dict[str, set[tuple[str, str]]] = import_module("orchestration.lineage").column_lineage(model.sql, known)
        return found

    return Cache(engine.lake.cache_dir).get(dict[str, set[tuple[str, str]]], question, find)


def _deps(engine: Engine, model: Model) -> Iterator[dg.AssetDep]:
    for table in model.parents:
        parent = engine.models.get(table)
        if parent:
            yield dg.AssetDep(key_of(table), partition_mapping=window_mapping(model, parent))
        else:
            # Every capture moves the clocks on: what is made of them alone hangs from all raw assets.
            moved = "raw.capture_attempts" if model.parents == ("ops.feed_clock",) else table
            for key in raw_keys(engine, moved):
                yield dg.AssetDep(key)


def raw_keys(engine: Engine, table: str) -> list[dg.AssetKey]:
    """The raw assets, one per source, behind a raw table."""
    return [
        dg.AssetKey(["raw", feed["source"], feed["feed"]])
        for feed in engine.feeds
        if table in {f"raw.{feed['vendor']}_{feed['feed']}", "raw.capture_attempts"}
    ]


def _columns(model: Model, types: Mapping[str, str]) -> dg.TableSchema:
    described = {"date": "UTC day of the partition", **model.columns}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, kind.lower(), description=described.get(name, "")) for name, kind in types.items()
        ]
    )


def _lineage(engine: Engine, lineage: Mapping[str, Iterable[tuple[str, str]]]) -> dg.TableColumnLineage:
    def deps(found: Iterable[tuple[str, str]]) -> Iterator[dg.TableColumnDep]:
        for table, column in sorted(found):
            keys = [key_of(table)] if table in engine.models else raw_keys(engine, table)
            yield from (dg.TableColumnDep(asset_key=key, column_name=column) for key in keys)

    return dg.TableColumnLineage({column: list(deps(found)) for column, found in lineage.items()})


def _check_spec(check: Check) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(check.name, asset=key_of(check.table), description=check.description)


def result_of(verdict: Verdict, days: Sequence[date]) -> dg.AssetCheckResult:
    """What Dagster is told of a check that was run over some days; over whole tables, of none."""
    check = verdict.check
    # What a run says of its days says nothing of others (``check_watch.py``): each has those that it is about.
    broken = verdict.dates if verdict.dates and verdict.dates <= set(days) else days if verdict.failing else ()
    about = {JUDGED_DAYS: days, **({FAILING_DAYS: broken} if broken else {})} if days else {}
    return dg.AssetCheckResult(
        asset_key=key_of(check.table),
        check_name=check.name,
        passed=verdict.failing == 0,
        severity=dg.AssetCheckSeverity.WARN if check.warn else dg.AssetCheckSeverity.ERROR,
        description=None if verdict.failing == 0 else _broken(verdict),
        metadata={
            "failing_rows": verdict.failing,
            **{name: dg.MetadataValue.json([str(day) for day in sorted(some)]) for name, some in about.items()},
            **_sample(verdict),
        },
    )


def days_said(evaluation: dg.AssetCheckEvaluation, name: str) -> set[str]:
    """The days that an evaluation names under :data:`JUDGED_DAYS` or :data:`FAILING_DAYS`."""
    value = evaluation.metadata.get(name)
    return set(value.value) if isinstance(value, dg.JsonMetadataValue) and isinstance(value.value, list) else set()


def check_evaluation(verdict: Verdict, days: Sequence[date]) -> dg.AssetCheckEvaluation:
    """The same as an event of a run that has no step for the asset."""
    result = result_of(verdict, days)
    return dg.AssetCheckEvaluation(
        asset_key=key_of(verdict.check.table),
        check_name=verdict.check.name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def _broken(verdict: Verdict) -> str:
    """Which rows, with the first of them in words, and what to do."""
    row = verdict.sample[0] if verdict.sample else {}
    first = ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
    todo = (
        "look at it when you can: the figures stand"
        if verdict.check.warn
        else "do not pass on these figures; compare with the source's own screen, and report the rows below"
    )
    return f"{verdict.failing} rows break this{f'; the first: {first}' if first else ''}. To do: {todo}."


def _sample(verdict: Verdict) -> dict[str, dg.MetadataValue[Any]]:
    """A few of the rows that break a check, as a table that the UI shows."""
    if not verdict.sample:
        return {}
    names = list(verdict.sample[0])
    rows = ["| " + " | ".join(str(row[name]).replace("|", "\\|") for name in names) + " |" for row in verdict.sample]
    return {
        "sample": dg.MetadataValue.md("\n".join(["| " + " | ".join(names) + " |", "|---" * len(names) + "|", *rows]))
    }


def _story(engine: Engine, outcome: Outcome) -> dict[str, Any]:
    """What a day looks like: figures for plots over days, and a picture."""
    if not isinstance(outcome.day, date):
        return {}
    told: dict[str, Any] = dict(figures(engine.builder, outcome.table, outcome.day))
    if outcome.table == _PICTURED:
        drawn = picture(engine.builder, outcome)
        told |= {"picture": dg.MetadataValue.md(drawn)} if drawn else {}
    return told


def partition_metadata(engine: Engine, table: str, day: date | None) -> dict[str, Any]:
    """What Dagster is told of a partition as it was last built (a whole table: None)."""
    manifest = engine.builder.builds.manifest(table, day)
    if manifest is None:
        return {}
    outcome = Outcome(table, day, "built", manifest.rows, manifest.bytes, manifest.seconds)
    return {**_metadata([outcome]), **_story(engine, outcome)}


def _metadata(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    days = [outcome.day for outcome in outcomes if isinstance(outcome.day, date)]
    return {
        "dagster/row_count": sum(outcome.rows for outcome in outcomes),
        "bytes": sum(outcome.bytes for outcome in outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 3),
        "result": ", ".join(sorted({outcome.result for outcome in outcomes})),
        **({"days": len(days)} if len(days) > 1 else {}),
    }
