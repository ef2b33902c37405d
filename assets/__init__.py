"""Where rows come from and where they go. Knows vendors; nothing here but ``*/assets.py`` knows Dagster."""
