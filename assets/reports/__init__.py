"""Reports that people open: what a report is, the queries behind it, and how it is rendered in each format.

No Dagster and no vendor here. When a report is issued, and what is told of it, belongs in ``orchestration``.
"""
