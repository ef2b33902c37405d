"""BeyondTrust's support sessions: who took part and when, and what was handed over, from rows and from reports."""

from typing import Any

from tests.models.beyondtrust import Replay, change, gone, joined, page, rep, reps, told, unix
from tests.models.workbench import Workbench, at

A, B = "a" * 32, "b" * 32


def session(row: str = "7", lsid: str = A, **fields: Any) -> dict[str, Any]:
    """A message that inserts a support session, waiting in queue 1 unless told."""
    one = {"lsid": lsid, "queue_id": "1", "created_timestamp": unix("08:00"), **fields}
    return change(insert={"support_session": {row: one}})


def moved(row: str = "7", **fields: Any) -> dict[str, Any]:
    """A message that updates a support session."""
    return change(update={"support_session": {row: fields}})


QUEUES = change(
    insert={
        "queue": {
            "1": {"type": "general", "name": "General", "code_name": "general"},
            "2": {"type": "team", "name": "Second line", "support_team_id": 42},
            "3": {"type": "rep", "name": "Rep 6"},
        }
    }
)
BOTH = reps(r12=rep(), r13=rep("6", queue_id="3"))
LEFT = "representative_support_session"


def start(*messages: tuple[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """A connection whose copy holds two representatives, three queues and a waiting session."""
    return told(("08:00", QUEUES), ("08:00", BOTH), ("08:00:01", session(**fields)), *messages)


def stays(replay: Replay, *columns: str) -> list[Any]:
    """Who took part, and these columns."""
    rows = replay.rows("int_beyondtrust_participation")
    return rows.pick("interaction_id", "agent_id", "joined_at", "left_at", *columns)


def transfers(replay: Replay) -> list[Any]:
    """What was handed over."""
    rows = replay.rows("int_beyondtrust_transfers")
    return rows.pick("from_agent_id", "to_kind", "to_id", "started_at", "completed_at", "kind")


def test_taking_part_lasts_from_joining_to_leaving(bench: Workbench) -> None:
    """If this fails, a stay in a session has another agent, session or length than the vendor says."""
    replay = Replay(
        bench,
        start(
            ("09:00:04", joined("1", "7", "12", "09:00:00")),
            ("09:05:03", joined("2", "7", "13", "09:05:00")),
            ("09:10", gone(LEFT, "1")),
        ),
    )
    assert stays(replay, "role", "channel") == [
        (A, "5", "09:00", "09:10", None, None),
        (A, "6", "09:05", None, None, None),
    ]


def test_one_stay_in_many_copies_is_one(bench: Workbench) -> None:
    """If this fails, each hourly copy adds a stay, or ends one."""
    first = start(("09:00:04", joined("1", "7", "12", "09:00")))
    copy = told(
        ("10:00:01", QUEUES),
        ("10:00:01", BOTH),
        ("10:00:02", session("8")),
        ("10:00:02", joined("4", "8", "12", "09:00")),
        ("10:30", gone(LEFT, "4")),
        opened="10:00",
    )
    assert stays(Replay(bench, first + copy)) == [(A, "5", "09:00", "10:30")]


def test_a_stay_that_a_watched_copy_lacks_has_ended(bench: Workbench) -> None:
    """If this fails, a session that ended while connections changed goes on for ever."""
    first = start(("09:00:04", joined("1", "7", "12", "09:00")))
    assert stays(Replay(bench, first + told(("10:00", BOTH), opened="10:00"))) == [(A, "5", "09:00", "10:00")]


def test_a_stay_that_ended_while_nobody_watched_has_no_end(bench: Workbench) -> None:
    """If this fails, a length is made up that nobody knows."""
    first = start(("09:00:04", joined("1", "7", "12", "09:00")))
    replay = Replay(bench, first + told(("12:00", BOTH), opened="12:00"), gaps=[("10:00", "12:00")])
    assert stays(replay) == [(A, "5", "09:00", None)]


def test_a_web_chat_is_a_chat_until_more_is_shared(bench: Workbench) -> None:
    """If this fails, sessions are counted under the wrong channel."""
    client = {"support_session_id": "7", "client_type": "web_chat"}
    chat = start(
        ("08:01", change(insert={"customer_client": {"3": client}})), ("09:00", joined("1", "7", "12", "09:00"))
    )
    assert stays(Replay(bench, chat), "channel") == [(A, "5", "09:00", None, "chat")]
    more = [*chat, page(change(update={"customer_client": {"3": {"client_type": "desktop"}}}), "09:20", 9)]
    assert stays(Replay(bench, more), "channel") == [(A, "5", "09:00", None, "other")]


def test_a_stay_over_midnight_belongs_to_the_day_of_joining(bench: Workbench) -> None:
    """If this fails, a late session is cut, counted twice, or never ends."""
    evening = start(("23:00:04", joined("1", "7", "12", "23:00")))
    night = told(
        ("+1d 00:00:01", QUEUES), ("+1d 00:00:01", BOTH), ("+1d 00:00:01", session()),
        ("+1d 00:00:01", joined("1", "7", "12", "23:00")), ("+1d 01:00", gone(LEFT, "1")), opened="+1d 00:00",
    )  # fmt: skip
    replay = Replay(bench, evening + night)
    assert stays(replay) == [(A, "5", "23:00", "+1d 01:00")]
    assert replay.rows("int_beyondtrust_participation", at("+1d 00:00").date()) == []


def test_a_transfer_to_a_team(bench: Workbench) -> None:
    """If this fails, work handed to a queue is not counted, or is counted for whoever picks it up."""
    replay = Replay(
        bench,
        start(
            ("09:00:04", joined("1", "7", "12", "09:00")),
            ("09:10:05", moved(queue_id="2", queue_entry_timestamp=unix("09:10"))),
            ("09:10:05", gone(LEFT, "1")),
            ("09:20:03", joined("2", "7", "13", "09:20")),
            ("09:20:03", moved(queue_id="3")),
        ),
    )
    assert transfers(replay) == [("5", "queue", "42", "09:10", "09:10", "blind")]


def test_a_transfer_to_a_colleague_is_in_flight_until_they_join(bench: Workbench) -> None:
    """If this fails, a transfer to one person passes for one to a queue, or for completed while it waits."""
    waiting = start(
        ("09:00:04", joined("1", "7", "12", "09:00")), ("09:10", moved(queue_id="3")), ("09:10:01", gone(LEFT, "1"))
    )
    assert transfers(Replay(bench, waiting)) == [("5", "agent", "6", "09:10", None, "blind")]
    accepted = [*waiting, page(joined("2", "7", "13", "09:12"), "09:12:03", 9)]
    assert transfers(Replay(bench, accepted)) == [("5", "agent", "6", "09:10", "09:12", "blind")]


def test_keeping_a_shared_session_alone_is_a_transfer_after_talking(bench: Workbench) -> None:
    """If this fails, a warm hand-over is not counted."""
    replay = Replay(
        bench,
        start(
            ("09:00", joined("1", "7", "12", "09:00")),
            ("09:05", joined("2", "7", "13", "09:05")),
            ("09:10", gone(LEFT, "1")),
            ("09:40", gone(LEFT, "2")),
        ),
    )
    assert transfers(replay) == [("5", "agent", "6", "09:05", "09:10", "consult")]


def test_a_session_that_enters_the_queue_of_one_who_is_in_it_is_handed_over_after_talking(bench: Workbench) -> None:
    """If this fails, a warm hand-over whose session changes queues is a blind one that nobody ever took."""
    shared = start(
        ("09:00:04", joined("1", "7", "12", "09:00")),
        ("09:05:03", joined("2", "7", "13", "09:05")),
        ("09:05:13", moved(queue_id="3", queue_entry_timestamp=unix("09:05:10"))),
        ("09:05:13", gone(LEFT, "1")),
        ("09:40", gone(LEFT, "2")),
    )
    assert transfers(Replay(bench, shared)) == [("5", "agent", "6", "09:05", "09:05:10", "consult")]


def test_a_consultation_that_comes_back_is_no_transfer(bench: Workbench) -> None:
    """If this fails, asking a colleague, or a session's end, counts as handing over."""
    replay = Replay(
        bench,
        start(
            ("09:00", joined("1", "7", "12", "09:00")),
            ("09:05", joined("2", "7", "13", "09:05")),
            ("09:10", gone(LEFT, "2")),
            ("09:20", joined("3", "7", "13", "09:20")),
            ("09:30", gone(LEFT, "1")),
            ("09:30:04", gone(LEFT, "3")),
        ),
    )
    assert transfers(replay) == []


def test_who_joins_next_was_handed_what_the_other_left(bench: Workbench) -> None:
    """If this fails, a change of representative that no queue shows is not counted."""
    replay = Replay(
        bench,
        start(
            ("09:00", joined("1", "7", "12", "09:00")),
            ("09:10", gone(LEFT, "1")),
            ("09:11", joined("2", "7", "13", "09:11")),
        ),
    )
    assert transfers(replay) == [("5", "agent", "6", "09:10", "09:11", "blind")]


def test_a_session_that_only_waits_is_not_transferred(bench: Workbench) -> None:
    """If this fails, the overflow of one queue into another counts for an agent."""
    replay = Replay(bench, start(("08:10", moved(queue_id="2")), ("08:20", joined("1", "7", "12", "08:20"))))
    assert transfers(replay) == []


EVENT = (
    '<event timestamp="{}" event_type="{}"><performed_by type="representative" gsnumber="{}">x</performed_by>{}</event>'
)


def report(*events: tuple[str, str, int, str], lsid: str = B, ended: str = "10:00") -> dict[str, Any]:
    """A report of one session, of representatives 21 (user 5, not the owner) and 22 (user 6, its owner)."""
    rows = "".join(EVENT.format(unix(when), kind, who, more) for when, kind, who, more in events)
    members = "".join(
        f'<representative gsnumber="{number}" id="{user}"><display_name>Rep {user}</display_name>'
        f"<session_owner>{owner}</session_owner></representative>"
        for number, user, owner in ((21, 5, 0), (22, 6, 1))
    )
    body = (
        f'<session_list xmlns="urn:any"><session lsid="{lsid}"><start_time timestamp="{unix("08:50")}"/>'
        f'<end_time timestamp="{unix(ended)}"/><rep_list>{members}</rep_list>'
        f"<session_details>{rows}</session_details></session></session_list>"
    )
    return page(body.encode(), "12:00", request="POST /api/reporting generate_report=SupportSession&start_time=1")


ADDED, DEPARTED, OWNER = "Conference Member Added", "Conference Member Departed", "Conference Owner Changed"
TO_22 = '<destination type="representative" gsnumber="22">Rep 6</destination>'
TO_21 = '<destination type="representative" gsnumber="21">Rep 5</destination>'


def test_reports_tell_what_no_feed_saw(bench: Workbench) -> None:
    """If this fails, sessions of the time before Shiftbook, or of an outage, are lost."""
    replay = Replay(
        bench, sessions=[report(("09:00", ADDED, 21, ""), ("09:10", ADDED, 22, ""), ("09:20", DEPARTED, 21, ""))]
    )
    assert stays(replay, "role") == [(B, "5", "09:00", "09:20", "participant"), (B, "6", "09:10", "10:00", "owner")]


def test_reports_add_to_what_was_seen_and_do_not_double_it(bench: Workbench) -> None:
    """If this fails, a session that was watched and reported counts twice, or its owner stays unknown."""
    live = start(("09:00:04", joined("1", "7", "12", "09:00")))
    reported = report(("09:00:02", ADDED, 21, ""), ("09:30", DEPARTED, 21, ""), lsid=A)
    assert stays(Replay(bench, live, sessions=[reported]), "role") == [(A, "5", "09:00", "09:30", "participant")]


def test_reported_hand_overs(bench: Workbench) -> None:
    """If this fails, transfers of sessions that nobody watched are lost, or the pick-up from a queue counts as one."""
    events = (
        ("09:00", ADDED, 21, ""),
        ("09:00", OWNER, 0, TO_21),
        ("09:05", ADDED, 22, ""),
        ("09:10", OWNER, 21, TO_22),
        (
            "09:20",
            "Session Transferred to Queue",
            22,
            '<destination type="queue" gsnumber="0">Second line</destination>',
        ),
        ("09:30", OWNER, 21, TO_21),
    )
    assert transfers(Replay(bench, sessions=[report(*events)])) == [
        ("5", "agent", "6", "09:05", "09:10", "consult"),
        ("6", "queue", "Second line", "09:20", "09:20", "blind"),
    ]


def test_a_reported_queue_that_bears_a_members_name_is_theirs(bench: Workbench) -> None:
    """Reports name queues and give no ids; if this fails, a hand-over to a person counts as one to a queue."""
    queue = '<destination type="queue" gsnumber="0">Rep 6</destination>'
    events = (("09:00", ADDED, 21, ""), ("09:10", "Session Transferred to Queue", 21, queue), ("09:12", ADDED, 22, ""))
    assert transfers(Replay(bench, sessions=[report(*events)])) == [("5", "agent", "6", "09:10", "09:12", "blind")]
