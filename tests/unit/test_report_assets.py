"""Reports as Dagster's assets: days of a report are partitions, alone or many at once."""

from pathlib import Path

import dagster as dg

from orchestration.definitions import build_defs
from tests.pipeline.site import day
from tests.pipeline.toy import filled


def test_many_days_of_a_report_are_one_run_that_tells_of_each(tmp_path: Path) -> None:
    """If this fails, a month of reports is a run for each day, or a run over a month fails at its reports."""
    engine = filled(tmp_path / "home")
    job = build_defs(engine=engine, lineage=False).resolve_job_def("report_transfers")
    days = [str(day(0)), str(day(1))]
    tags = dict(zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), days, strict=True))
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, tags=tags).success
        found = instance.fetch_materializations(dg.AssetKey(["reports", "transfers"]), limit=9).records
        told = {record.partition_key: record.asset_materialization for record in found}
    assert sorted(key for key in told if key) == days
    for key, event in told.items():
        assert event is not None
        assert event.metadata["edition"].value == 1
        assert str(key) in str(event.metadata["files"].value)
        assert (engine.settings.exports_dir / "transfers").exists()
