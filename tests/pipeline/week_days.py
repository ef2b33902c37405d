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
_AFTER = midnight(FIRST) + timedelta(days=4)
FORGOTTEN = tuple(
    (_AFTER + timedelta(hours=hour, minutes=5, seconds=second), _AFTER + timedelta(hours=hour, minutes=6, seconds=10))
    for hour, second in ((10, 20), (15, 40))
)
"""What began then CxEngage leaves out without a word: amid work, and when somebody signs in."""
COMPARED = DAYS[4]
"""The day of which CxEngage's own sums are asked for."""
SPOILT = (_AFTER + timedelta(hours=15, minutes=40), _AFTER + timedelta(hours=15, minutes=40, seconds=40))
"""What began then CxEngage gives with a start that is no time."""
