"""The benchmarks time what the product really does: nothing that a table is made of is left out there."""

from benchmarks import data, pipeline
from orchestration.models import called_for
from tests.models.workbench import product_models


def test_what_a_timed_table_is_made_of_is_built_before() -> None:
    """If this fails, a benchmark times a table without rows, or one for which half the work is not done."""
    models = product_models()
    called = {table for table in called_for(models, {"raw.cxengage_agent_states"}) if models[table].kind == "day"}
    timed = {data.DAY_CLOSE, data.BUCKETS, *data.FEED_TABLES, *pipeline.DAY_TABLES}
    assert {parent for table in timed for parent in models[table].parents if parent in called} <= timed
