"""BeyondTrust (once Bomgar) Remote Support: the live state, its archive, the Command API and session reports.

This is the vendor's charter: what the feeds promise and where they surprise. Each fact is marked *seen* (read in the
vendor's pages or in code that talks to appliances), *inferred* (our deduction) or *recalled*. No code that asks belongs
here; importing this does nothing.

**Feeds.** ``state`` listens to the Real-Time State API, a WebSocket that sends a full copy of some tables and then
their changes; it keeps no history and gives no time of a change (seen [1][2]). ``archive`` is its history: snapshots
every 30 minutes and event files of 10 minutes (seen [3]). ``command`` asks the Command API gently for who is signed in,
teams and health. ``sessions`` reads the reports of support sessions and of team activity.

**Authentication.** ``POST /oauth2/token`` with Basic id and secret, ``grant_type=client_credentials``; a token lasts as
``expires_in`` says, an hour or half of one; an account has at most 30, the 31st ends the oldest (seen [4]). So there is
one token per process and source, for all its feeds. A token refused with 401 is renewed once (inferred). Accounts of
before 16.1 with user and password are not supported: the vendor has deprecated them.

**Limits.** 20 requests a second and 15,000 an hour per account over all APIs, with ``X-RateLimit-Remaining`` (seen in
the sibling product's OpenAPI); 429 beyond (inferred). Our processes share less than that (``budget.py``). Consecutive
calls must each close their connection (seen [4][5]). 30 integrations may listen to the state at once; updates come up
to 20 s late; who reads too slowly is cut off (seen [2]).

**State.** ``wss://HOST/nw``, subprotocol ``ingredi state api``, which has spaces in it and is thus refused by most
libraries; messages are JSON, each ends with a newline, and frames are cut anywhere (seen; the last inferred). The token
goes into the first message. Older appliances want ``NS01<company>`` first (seen, ``handshake: ns01``). A row's id is
good until the appliance's processes restart: ``truncate_model`` or a new connection begins anew (seen [1]). No message
says that the full copy is complete, no heartbeat is known (not established). ``update_model`` and ``model_update`` were
both seen, so messages are told by what they hold.

**Archive.** Kept for seven days on which the appliance ran, listed some minutes late (seen [3]); days on which it did
not run are found in the listings. Whether ``date`` is UTC is not established; times in listings carry UNIX seconds, so
neighbouring dates are asked for where they are needed. Nor is it established how an event is written: a file of which
no line has a time that we know is unreadable, and a window with any line that SQL rejects is not followed.

**Reports.** ``start_time`` gives sessions begun, those in progress too, ``end_time`` closed ones (seen [6]); both are
asked for each window, so that a session of hours is got when it ends. "No data" is an ``<error>`` with status 200 in
the site's language (seen). Namespaces of the XML differ by product and age; only local names count (seen).

[1] beyondtrust.com/docs/remote-support/how-to/integrations/api/real-time-state/system-state-model.htm
[2] …/api/real-time-state/protocol.htm
[3] …/api/reporting/archive.htm and archivelisting.htm
[4] …/api/authentication.htm
[5] …/api/command/index.htm
[6] …/api/reporting/supportsession.htm
"""

from datetime import timedelta

from assets.feeds import Feed

STATE = Feed(
    name="state",
    client="assets.beyondtrust.state:StateClient",
    delay=timedelta(0),
    retention=timedelta(0),
    window=timedelta(minutes=10),
    recheck_after=timedelta(0),
    live=True,
    uncertainty=timedelta(seconds=20),
    about="representatives, queues and support sessions as they change, over a WebSocket",
)

# Files span ten minutes and are listed some minutes after their end. A listing says whether a window is complete, so
# that no second look is needed.
ARCHIVE = Feed(
    name="archive",
    client="assets.beyondtrust.archive:ArchiveClient",
    delay=timedelta(minutes=20),
    retention=timedelta(days=7),
    window=timedelta(minutes=30),
    recheck_after=timedelta(minutes=20),
    uncertainty=timedelta(seconds=1),
)

COMMAND = Feed(
    name="command",
    client="assets.beyondtrust.command:CommandClient",
    delay=timedelta(0),
    retention=timedelta(0),
    window=timedelta(minutes=10),
    recheck_after=timedelta(0),
    live=True,
    state_bearing=False,
    about="who is signed in, teams, connected clients and health, asked each minute or ten",
)

# How long reports are kept is a setting of the site, of at most 90 days (recalled). A session that ended abnormally
# never counts as closed, hence one more look a day later.
SESSIONS = Feed(
    name="sessions",
    client="assets.beyondtrust.sessions:SessionsClient",
    delay=timedelta(minutes=5),
    retention=timedelta(days=90),
    window=timedelta(hours=1),
    recheck_after=timedelta(days=1),
    state_bearing=False,
)
