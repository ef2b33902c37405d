"""How Shiftbook runs: Dagster, DuckDB and paths. No vendor's name and no business rule belongs here."""
