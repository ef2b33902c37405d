"""Kore.ai SmartAssist (AI for Service): updates of agents' activity from the agentactivity API, by window.

This is the vendor's charter: what the feed promises and where it surprises. Each fact is marked *seen* (read in the
vendor's documents), *inferred* (our deduction; the simulator can serve the opposite), *assumed* (the vendor says
nothing, so a safe value was chosen) or *recalled*. No code that asks belongs here; importing this does nothing.

**Endpoint.** ``GET {base_url}/agentassist/api/public/analytics/account/{accountId}/agentactivity`` with
``fromTimeStamp`` and ``toTimeStamp`` as ``2023-04-02T09:45:00Z`` (seen [1]). A newer page requires the headers ``iId``,
the stream's id, and ``content-type``, too (seen [2]); whether the first is enforced is not known: it is sent when
``stream_id`` is given.

**Authentication.** Header ``auth`` with a JWT, HS256, signed with the app's client secret, payload ``sub`` and
``appId`` (seen [3]; the sample token of [1] holds ``appId`` alone). The app needs the scope *WFM Integration*, selected
and published (seen [1], [3]). Each request gets a token of its own with ``jti``, because an app may enforce it (seen
[3]), and ``exp`` after 15 minutes, so that one that leaks is worth little; both are registered claims (RFC 7519).

**Limits.** 60 requests per minute and account, WFM APIs included, in a window of 60 seconds; beyond it the text "You've
exceeded the per-minute rate limit" (seen [4]), with which status is not said: the text is recognised at any. Calls
should be spread evenly, and more can be had from the vendor's support (seen [4]). We stay at 50, of which a share is
kept for the present (``assets/pacing.py``). A bad token was seen to be answered with code 4002, "Invalid SDK
credentials", on sibling paths (seen [5]).

**Windows.** Neither longest range, nor retention, nor paging, nor a cap on records is documented; the sample asks for
four days (seen [1]). Assumed: windows of an hour, kept for four days (``retention_days`` changes it: a reply without
updates from beyond the true retention would pass for silence). A reply whose count of updates looks like a cap is asked
for again in halves. Whether the ends are inclusive is not said: each request reaches a second beyond both.

**Clock.** "Real-time or changes stacked every 30 seconds" (seen [1]): nothing younger than 45 seconds, half as much
again, is asked for (assumed). The ``Date`` of the answers is the clock of all windows. Late updates are not mentioned;
one more look after an hour finds them.

**Updates.** ``AgentId``, ``EventTime``, ``Activity``, ``ReasonCode``: PascalCase in the sample, camelCase in the newer
page's table (seen [1], [2]); both are read. ``EventTime`` is ``10/20/2020 2:13:12``: hour unpadded, no zone, whole
seconds (seen [1]); UTC is inferred, hence ``event_timezone``. There is no id, so equal updates are one. The sample's
update lies outside the window that its request asks for (seen [1]); updates count by their own time. The only words
shown are ``notready`` and ``1``; the others are not listed anywhere. The shape of a reply without updates is not
documented: an empty, null or absent list beside ``accountId`` counts as one, and status 204 too (inferred).

[1] https://github.com/Koredotcom/docs docs/xo/apis/contact-center/agent-activity.md
[2] https://github.com/Koredotcom/docs-v2 ai-for-service/apis/contact-center/agent-activity.mdx
[3] https://github.com/Koredotcom/docs-v2 ai-for-service/apis/automation/api-introduction.mdx; community.kore.ai/t/2287
[4] https://github.com/Koredotcom/docs-v2 ai-for-service/apis/contact-center/rate-limit-ccai.mdx
[5] https://community.kore.ai/t/introducing-api-scopes/82
"""

from datetime import timedelta

from assets.feeds import Feed

AGENT_ACTIVITY = Feed(
    name="agent_activity",
    client="assets.kore.client:KoreClient",
    delay=timedelta(seconds=45),
    retention=timedelta(days=4),
    window=timedelta(hours=1),
    recheck_after=timedelta(hours=1),
    cadence=timedelta(seconds=15),
    uncertainty=timedelta(seconds=1),
)
