"""BeyondTrust Remote Support: the appliance's present over a WebSocket, its archive, its commands and its reports.

What the feeds promise stands here. No code that asks belongs here; importing this does nothing.
"""

from datetime import timedelta

from assets.feeds import Feed

STATE = Feed(
    name="state",
    client="assets.beyondtrust.state:StateClient",
    live=True,
    delay=timedelta(0),
    retention=timedelta(0),
    window=timedelta(hours=1),
    recheck_after=timedelta(hours=1),
    uncertainty=timedelta(seconds=20),
)
ARCHIVE = Feed(
    name="archive",
    client="assets.beyondtrust.archive:ArchiveClient",
    delay=timedelta(minutes=20),
    retention=timedelta(days=7),
    window=timedelta(minutes=30),
    recheck_after=timedelta(hours=1),
    uncertainty=timedelta(seconds=1),
)
COMMAND = Feed(
    name="command",
    client="assets.beyondtrust.command:CommandClient",
    live=True,
    delay=timedelta(0),
    retention=timedelta(0),
    window=timedelta(hours=1),
    recheck_after=timedelta(hours=1),
    state_bearing=False,
)
SESSIONS = Feed(
    name="sessions",
    client="assets.beyondtrust.sessions:SessionsClient",
    delay=timedelta(minutes=1),
    retention=timedelta(days=30),
    window=timedelta(hours=1),
    recheck_after=timedelta(hours=1),
    state_bearing=False,
)
