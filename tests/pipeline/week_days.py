"""When the week of the tests is; nothing else."""

from datetime import date, timedelta

from orchestration.inputs import midnight

FIRST = date(2026, 10, 24)
"""A Saturday; the clocks of Berlin go back in the night after it."""
DAYS = tuple(FIRST + timedelta(days=n) for n in range(7))
UNTIL = midnight(FIRST) + timedelta(days=6, hours=19, minutes=7, seconds=30)
"""When the vendors are asked for the last time: in the midst of a shift."""
OUTAGE = (midnight(FIRST) + timedelta(days=3, hours=13), midnight(FIRST) + timedelta(days=3, hours=14))
"""An hour of a working day that no vendor gives out, however often it is asked."""
