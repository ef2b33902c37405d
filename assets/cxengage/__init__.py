"""CxEngage (Serenova, then Lifesize, now Enghouse): agent state records of the RTA API, by window; its own sums.

This is the vendor's charter: what the feed promises and where it surprises. Each fact is marked *seen* (read in the
vendor's documents or code), *inferred* (our deduction; the simulator can serve the opposite) or *recalled*. No code
that asks belongs here; importing this does nothing.

**Endpoint.** ``GET {base_url}/v1/tenants/{tenantId}/wfm/rta?start&end&limit&offset`` (seen [1]; its own samples hold
double slashes, a range of 30 minutes and ``20:45:00:999Z``, none of which is right). Regions have hosts of their own:
``https://api.cxengage.net``, ``https://eu-west-1-prod-api.cxengage.net`` (seen [2]).

**Authentication.** Basic, with the user and password of a CxEngage user (seen [1]) whose role holds the permission
*WFM RTA* (seen [3]). An API key and its secret as user and password: recalled, plausible, not seen stated.

**Limits.** A window is at most 10 minutes long, data is kept for 3 days and held back for 15 seconds (seen [1]). A
rate limit is documented nowhere and 429 is not among the listed statuses (seen [4]). The vendor's own SDK waits 120 s
for an answer and tries a server error three times more (seen [5]).

**Clock.** Records are late or out of order for a client whose clock runs ahead (seen [1]), so the ``Date`` of the
vendor's answers is the clock for all windows, and nothing younger than 15 s on it is asked for. A record can still
arrive late and then stands before rows already delivered (inferred), hence one more look after an hour.

**Paging.** ``total`` counts the window's records and may exceed ``limit`` (seen [1]). The vendor's advice for the rest,
``offset = total - limit`` with other ``start`` and ``end``, skips records when there are more than two pages; we keep
both ends frozen and move ``offset`` by what was received. Without ``limit`` all records come at once (seen [1]), but
one lost connection would lose them all. Types vary: ``limit`` is a text in the request and an integer in the reply.

**Records.** Ids are UUIDs of version 1; rows of an agent's session form a chain, ``nextEventId`` naming the successor
(seen in the sample by decoding it). An open row therefore lacks ``end`` and is delivered again under its ``eventId``
when it closes (inferred; the key assumption nobody could test), so windows with open rows are asked for again. Whether
a window selects rows by start or by overlap is not said; both are handled. No event type for signing out is listed.
The sample of [1] is not valid JSON; a reply like it is kept as it came and marked unreadable.

**Its own sums.** ``GET {base_url}/v1/tenants/{tenantId}/wfm/intervals/agent?start&end&page&limit&offset`` (seen [6]):
sums per agent and quarter of an hour, a second opinion that is asked for only where ``feeds`` names it, since it needs
another permission, *WFM_HISTORICAL*. ``start`` and ``end`` lie on quarters of an hour; a range is at most 7 days long
and does not end within 10 minutes of now; the envelope says ``limit`` 1000 (seen [6]). How long sums are kept is not
said: nothing older than the longest range is asked for. ``results`` is an object in the samples and a list for one who
used it (seen [6], [7]); both are read. Which fields an agent has is not recorded. Those of a queue (``idleTime``,
``busyTime``, ``conversationTime``, ``wrapUpTime``, ``startTimestamp``, ``endTimestamp``, seen [6]) are taken to be the
same, in seconds as the durations of agent states are, and ``idleTime`` and ``busyTime`` to sum the states *idle* and
*busy* (all inferred). The sample's one row spans all of the range that was asked for (seen [6]): a row is compared over
the stretch that it names, and a request spans an hour at most.

**Errors.** Listed are 200, 201, 204, 302, 400, 401, 403, 404, 500, 502, 503, 504, without a shape of the body (seen
[4]). We act on the status alone. 204 counts as a window without records (inferred).

[1] https://api-docs.cxengage.net/Reporting/Content/ReportingAPI/RTA_API/Getting_Agent_States.htm
[2] https://api-docs.cxengage.net RealtimeAPI/Tutorials/tutorialReportingAPI.htm
[3] https://api-docs.cxengage.net Reporting/Content/ReportingAPI/RTA_API/Create_Role.htm
[4] https://api-docs.cxengage.net/Reporting/Content/Introduction/Errors.htm
[5] shark764/cxengage-javascript-sdk, domain/api_utils.cljs
[6] https://api-docs.cxengage.net/Reporting/Content/ReportingAPI/WFM%20Intervals/Getting_WFM_intervals_agents.htm,
    Getting_WFM_intervals_queues.htm
[7] an integrator's report of agents' averages, in PHP, of 2018
"""

from datetime import timedelta

from assets.feeds import Feed

AGENT_STATES = Feed(
    name="agent_states",
    client="assets.cxengage.client:CxEngageClient",
    delay=timedelta(seconds=15),
    retention=timedelta(days=3),
    window=timedelta(minutes=10),
    recheck_after=timedelta(hours=1),
    cadence=timedelta(seconds=15),
)

AGENT_INTERVALS = Feed(
    name="agent_intervals",
    client="assets.cxengage.intervals:IntervalsClient",
    delay=timedelta(minutes=10),
    retention=timedelta(days=7),
    window=timedelta(hours=1),
    recheck_after=timedelta(hours=1),
    state_bearing=False,
    mark=timedelta(minutes=15),
)
