"""What Dagster is told: loaded without network or secrets, with keys, descriptions, columns, lineage and checks."""

import dataclasses
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets.reports.catalogue import REPORTS
from orchestration.definitions import build_defs
from orchestration.resources import Engine
from orchestration.settings import load_settings
from tests.pipeline.site import FIRST, day
from tests.pipeline.toy import ADDRESS

Node = dg.AssetKey


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Two sources whose variables are not set and whose address nobody serves, one of them switched off."""
    folder = tmp_path_factory.mktemp("definitions")
    source = {
        "vendor": "cxengage",
        "base_url": ADDRESS,
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "username": "${NOT_SET_USER}",
        "password": "${NOT_SET_PASSWORD}",
        "since": str(FIRST),
    }
    sources = [{"name": "east", **source}, {"name": "west", **source}, {"name": "off", "enabled": False, **source}]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}))
    return Engine(load_settings(folder / "home", folder / "sources.yaml", {}))


@pytest.fixture(scope="module")
def definitions(engine: Engine) -> dg.Definitions:
    """The whole graph over three days."""
    return build_defs(engine=engine, first_day=day(0), last_day=day(2))


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    """What each asset says of itself, by its key."""
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_keys_and_groups_are_those_of_the_contract(engine: Engine, specs: dict[str, dg.AssetSpec]) -> None:
    """Schedules, selections and links of users name assets by key and group."""
    tables = {model.table.replace(".", "/"): model.schema for model in engine.models.values()}
    raw = {f"raw/{name}/agent_states": "cxengage" for name in ("east", "west", "off")}
    fresh = {f"ops/freshness/{name}/agent_states": "ops" for name in ("east", "west")}
    reports = {f"reports/{name}": "reports" for name in [*REPORTS, "overview"]}
    groups = {key: spec.group_name for key, spec in specs.items()}
    assert groups == {**tables, **raw, **fresh, **reports, "warehouse": "marts"}


def test_each_report_is_issued_by_a_schedule_of_its_own_zone(engine: Engine, definitions: dg.Definitions) -> None:
    """If this fails, a report of yesterday comes in the afternoon, or is of another day."""
    schedule = definitions.resolve_schedule_def("issue_interval")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 1 * * *", engine.settings.report_timezone)
    at_one = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 11, 5, 1, tzinfo=UTC))
    request = schedule(at_one)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-11-04"
    with dg.build_sensor_context(resources={"engine": engine}) as context:
        found = definitions.resolve_sensor_def("changed_reports")(context)
    assert isinstance(found, dg.SensorResult)
    assert found.run_requests == []


def test_loading_warns_of_nothing(engine: Engine) -> None:
    """If this fails, each process of `shiftbook up` prints warnings that no operator can heed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_defs(engine=engine, lineage=False).resolve_all_asset_specs()


def test_builds_do_not_wait_for_reports(definitions: dg.Definitions) -> None:
    """If this fails, a run over UTC days names partitions that reports do not have, and nothing is captured."""
    keys = definitions.resolve_job_def("capture").asset_layer.executable_asset_keys
    assert {key.path[0] for key in keys} == {"raw"}
    assert not definitions.resolve_job_def("build_what_came").asset_layer.executable_asset_keys


def test_nothing_is_made_on_disk_and_nobody_is_asked(engine: Engine, specs: dict[str, dg.AssetSpec]) -> None:
    """Looking at the graph on a laptop must need neither credentials nor the vendors."""
    assert specs
    assert not (engine.settings.home / "warehouse.duckdb").exists()
    assert not list(engine.settings.home.rglob("*.parquet"))


def test_every_asset_says_what_it_is_and_whose(specs: dict[str, dg.AssetSpec]) -> None:
    """An asset without words or owner is nobody's when it fails."""
    for key, spec in specs.items():
        assert len(spec.description or "") > 20, key
        assert list(spec.owners) == ["team:operations"], key
        assert spec.kinds, key


def test_every_table_has_its_columns_described_and_links_to_its_sql(
    engine: Engine, specs: dict[str, dg.AssetSpec]
) -> None:
    """Without columns and link, readers of the catalogue have to guess what a figure means."""
    for model in engine.models.values():
        metadata = specs[model.table.replace(".", "/")].metadata
        columns = metadata["dagster/column_schema"].columns
        assert [c.name for c in columns] == list(engine.builder.types[model.table])
        assert [c.name for c in columns if not c.description] == [], model.table
        [link] = metadata["dagster/code_references"].code_references
        assert Path(link.file_path) == model.path
        assert metadata["dagster/table_name"] == model.table


@pytest.mark.parametrize("name", ["east", "off"])
def test_raw_assets_have_their_columns_described(specs: dict[str, dg.AssetSpec], name: str) -> None:
    """Without columns, nobody finds the vendor's own words, which are kept byte for byte."""
    metadata = specs[f"raw/{name}/agent_states"].metadata
    assert metadata["dagster/table_name"] == "raw.cxengage_agent_states"
    columns = {column.name: column.description for column in metadata["dagster/column_schema"].columns}
    assert all(columns.values())
    assert {"payload", "received_at", "date"} <= columns.keys()


def test_reports_have_the_columns_of_their_tables_described(specs: dict[str, dg.AssetSpec]) -> None:
    """The only page about a report in the UI would not say what is in it."""
    columns = specs["reports/transfers"].metadata["dagster/column_schema"].columns
    assert {"pairs.from_agent_id", "agents.transfer_rate"} <= {column.name for column in columns}
    assert all(column.description for column in columns)


def test_columns_of_the_timeline_descend_from_the_vendors_records(specs: dict[str, dg.AssetSpec]) -> None:
    """Lineage that breaks on the way would leave the origin of a figure in the dark."""
    waiting = [("marts/fct_agent_timeline", "reason")]
    seen = set(waiting)
    while waiting:
        key, column = waiting.pop()
        lineage = specs[key].metadata.get("dagster/column_lineage") if key in specs else None
        for dep in lineage.deps_by_column.get(column, []) if lineage else []:
            step = (dep.asset_key.to_user_string(), dep.column_name)
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    assert ("staging/stg_cxengage__agent_states", "reason_name") in seen
    assert ("raw/east/agent_states", "payload") in seen
    assert ("raw/west/agent_states", "payload") in seen


def test_tables_depend_on_what_their_sql_reads(definitions: dg.Definitions, engine: Engine) -> None:
    """A missing edge would build a table before what it is made from."""
    graph = definitions.resolve_asset_graph()
    for model in engine.models.values():
        parents = {key.to_user_string() for key in graph.get(Node(model.table.split("."))).parent_keys}
        assert {p.replace(".", "/") for p in model.parents if p in engine.models} <= parents, model.table
    for table in (("staging", "stg_cxengage__agent_states"), ("intermediate", "int_observed_until")):
        parents = {key.to_user_string() for key in graph.get(Node([*table])).parent_keys}
        assert "raw/east/agent_states" in parents, table


def test_every_claim_is_a_check_with_words(definitions: dg.Definitions, engine: Engine) -> None:
    """A claim that is not run protects nothing, and one without words helps nobody when it fails."""
    graph = definitions.resolve_asset_graph()
    found = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    claims = {(table.replace(".", "/"), check.name) for table, checks in engine.checks.items() for check in checks}
    assert claims <= found
    raw = {f"raw/{name}/agent_states" for name in ("east", "west")}
    fed = {(key, name) for key in raw for name in ("fetched_everything", "data_is_fresh")}
    assert found - claims == fed | {("warehouse", "nothing_is_out_of_date")}
    assert [key for key in graph.asset_check_keys if not (graph.get_check_spec(key).description or "")] == []


def test_days_run_from_the_first_configured_one(definitions: dg.Definitions) -> None:
    """A day without a partition can be neither captured nor built."""
    graph = definitions.resolve_asset_graph()
    for path in (["raw", "east", "agent_states"], ["marts", "fct_agent_timeline"]):
        partitions = graph.get(Node(path)).partitions_def
        assert partitions is not None
        keys = partitions.get_partition_keys()
        assert {str(day(n)) for n in range(3)} <= set(keys)
        assert max(keys) == str(day(2))


def test_only_the_configured_vendors_tables_are_in_the_graph(specs: dict[str, dg.AssetSpec]) -> None:
    """Whoever has one vendor would have to find their ten tables among fifty."""
    assert not [key for key in specs if any(vendor in key for vendor in ("kore", "huawei", "beyondtrust"))]
    assert {"marts/fct_participation", "staging/stg_cxengage__agent_states"} <= specs.keys()


def test_partitions_begin_where_anything_can_be(engine: Engine) -> None:
    """Weeks that no vendor can fill would show every table as nearly empty, for ever."""
    assert engine.first_day() == FIRST - timedelta(days=1)
    open_ended = [source.model_copy(update={"since": None}) for source in engine.settings.sources]
    without = Engine(dataclasses.replace(engine.settings, sources=tuple(open_ended)))
    assert timedelta(days=4) <= datetime.now(UTC).date() - without.first_day() <= timedelta(days=5)
