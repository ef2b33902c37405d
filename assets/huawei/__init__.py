"""Huawei AICC (CEC): the present of agents from CC-Gateway or CC-CMS, and a day of their operations from CC-CMS.

This is the vendor's charter: what each feed promises and where it surprises. Each fact is marked *seen* (read in the
vendor's documents or code), *inferred* (our deduction) or *recalled*. No code that asks belongs here; importing this
does nothing.

**agent_status.** ``GET {base_url}/agentgateway/resource/onlineagent/{agentid}/agentstatus`` with the header ``Guid``
(seen [1]): one agent's state of now, without time or reason. Codes are the gateway's own: 2 signed out, 3 busy, 4 and 6
idle, 5 wrap-up, 7 talking, 8 rest, 9 pre-rest, 0 unknown, 1 unused (seen [2]). 7 covers being offered a call, too.

**GUID.** It comes in the header ``Set-GUID: JSESSIONID=<guid>.AgentGateway0`` of the sign-in, and a new one with the
event poll every 60 s; the old one is good for 120 s (AUTHMODE 2, seen [3]). Two minutes without an event poll sign the
agent out. Load balancers hold on to a node by cookies, which are sent back (seen in the vendor's demo). So somebody
must be signed in as the agent: the agent, whose desktop keeps a file of GUIDs current for us (``guid_file``), or we
(``agents``). Signing in changes what is measured: a Ready comes first, a licence is used. A seat in use is refused with
100-002, and we never force our way in; it is tried again now and then, since our own earlier sign-in gives it, too.

**Return codes** come with HTTP 200 in ``retcode`` (seen [4]); ``retcodes.py`` sorts them.

**cms_status.** ``POST {cms}/rest/cmsapp/v1/openapi/agentgroup/agentstatusinfobyagentids`` with up to 6,000 agents:
state in CTI numbering (0 signed out, 1 idle, 2 to 5 on a call, 6 working, 7 busy, 8 rest, 9 study, 10 adjusting: 7
means another thing than at the gateway), whole seconds in it, the state before and how long that lasted (seen [5]). So
boundaries are known to a second between polls, and one missed change is recovered. ``logonTime`` 4294967295000 means
not signed in, ``prevStateTime`` 4294967295 that it is not known (seen in samples). Nobody needs to sign in.
Who the agents are, ``vdn/totalagentstate`` tells in one piece, but not on CTI 3.6; there, and wherever it is refused,
``vdn/totalagentdynamicinfo`` does in pages of at most 1,000 (seen [10]).

**cms_history.** ``POST …/agent/agentoprinfo`` for one agent: operations of at most 24 hours in UTC, the range a
multiple of 15 minutes, kept for one day (seen [6]). Operations are rows with a begin and an end. A talk that lasts is
written at each full 5 minutes with cause 1 and at its end with cause 0 (seen [7]). One table of the vendor says idle
is not written, another lists it: where a signed-in agent has no row, idle is derived. Names of the reply's fields were
not seen: the spellings of the CC-FS file and their camel case are taken.

**Files of CC-FS** hold the same operations in bulk: ``POST /CCFS/resource/ccfs/queryAgentOprInfoData`` makes them and
calls back, ``downloadAgentOprInfoFile`` gives a zip of a CSV of 21 columns (seen [9]). The call back needs an address
that the vendor reaches, so they are not asked for: who may ask lets them lie in ``cms_files``, and they are landed as
cms_history. Their times carry no zone; UTC is taken, as of CC-CMS (inferred). What picks operations, begin or end, is
not said: a file is taken to be whole from its first end to its last begin (inferred).

**CC-CMS requests** are signed ``Authorization: SDK-HMAC-SHA256`` (seen [8]); success is ``resultCode`` "0100000".

**Clock.** Polls carry no time of the vendor; received_at and durations make it, so the vendor's clock does not matter
there. History is in the vendor's clock; the ``Date`` of answers gives the drift.

**Limits** are documented nowhere. Integrators meet 403, 429 and 502 when they ask too often (seen in one's notes): we
back off, twice as long each time.

[1] https://support.huaweicloud.com/intl/en-us/api-cec/cec_07_0355.html
[2] https://support.huaweicloud.com/intl/en-us/api-cec/cec_07_0581.html
[3] https://support.huaweicloud.com/intl/en-us/devg-ccgw-cec/cec_05_4015.html, api-ccfs-cec/cec_07_0005.html
[4] https://support.huaweicloud.com/intl/en-us/api-cec/cec_07_0580.html
[5] https://support.huaweicloud.com/api-ccfs-cec/cec_07_0627.html
[6] https://support.huaweicloud.com/intl/en-us/api-cec/cec_07_0637.html
[7] https://support.huaweicloud.com/intl/en-us/api-cec/cec_07_0706.html, cec_07_0838.html
[8] https://support.huaweicloud.com/api-ccfs-cec/cec_07_0003.html
[9] https://support.huaweicloud.com/intl/en-us/api-cec/cec_07_4226.html, cec_07_4238.html, cec_07_0832.html
[10] https://support.huaweicloud.com/intl/en-us/api-cec/cec_07_0610.html, cec_07_0599.html
"""

from datetime import timedelta

from assets.feeds import Feed

AGENT_STATUS = Feed(
    name="agent_status",
    client="assets.huawei.gateway:GatewayClient",
    delay=timedelta(0),
    retention=timedelta(0),  # what was not polled is gone
    window=timedelta(hours=1),
    recheck_after=timedelta(0),
    live=True,
    about="the state of one agent a poll, as CC-Gateway has it",
)

CMS_STATUS = Feed(
    name="cms_status",
    client="assets.huawei.cms_live:CmsStatusClient",
    delay=timedelta(0),
    retention=timedelta(0),
    window=timedelta(hours=1),
    recheck_after=timedelta(0),
    live=True,
    uncertainty=timedelta(seconds=1),
    about="the states of all agents a poll, and since when, as CC-CMS has them",
)

CMS_HISTORY = Feed(
    name="cms_history",
    client="assets.huawei.cms:CmsHistoryClient",
    delay=timedelta(minutes=5),  # a talk is written every five minutes; younger rows may not stand there yet
    retention=timedelta(days=1),
    window=timedelta(hours=1),
    # An operation is written when it ends (inferred), perhaps long after the window in which it began: a rest of hours
    # is found by the last look. One request may ask for 24 hours, so that looks cost little (seen [6]).
    recheck_after=timedelta(hours=2),
    last_window=timedelta(hours=6),
    uncertainty=timedelta(seconds=1),
)
