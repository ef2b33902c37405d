"""A person cut out of each vendor's replies: their records go, others' stay and say ``forgotten`` of them."""

import gzip
import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets import erasure
from assets.bodies import gunzip
from assets.erasure import Person, cut, cut_request


def them(agent_id: str = "21470a47", name: str = "") -> Person:
    """A person with an id and perhaps a name."""
    return Person(agent_id.__eq__, lambda text: bool(name) and text == name)


def test_records_go_and_a_colleagues_transfer_stays() -> None:
    """A colleague would lose a transfer from their figures, or somebody forgotten would still be named in it."""
    handed = {"interactionId": "i", "toAgentId": "21470a47"}
    rows = [{"agentId": "21470a47", "agentName": "Ann"}, {"agentId": "bob", "n": 1, "transfers": [handed]}]
    person = them()
    left = cut(json.dumps({"total": 2, "results": rows}).encode(), person)
    assert json.loads(left or b"") == {
        "total": 2,
        "results": [{"agentId": "bob", "n": 1, "transfers": [{**handed, "toAgentId": "forgotten"}]}],
    }
    assert person.names == {"Ann"}


def test_a_short_number_is_only_an_id_where_ids_stand() -> None:
    """Of agent 5 every state 5 and every count of 5 would go."""
    rows = [{"agentId": 5, "currentState": 1}, {"agentId": 6, "currentState": 5, "opObject": "5"}]
    left = json.loads(cut(json.dumps({"resultDatas": rows}).encode(), them("5")) or b"")
    assert left == {"resultDatas": [{"agentId": 6, "currentState": 5, "opObject": "forgotten"}]}


def test_rows_of_a_model_go_and_their_queue_loses_its_name() -> None:
    """BeyondTrust keeps rows by number, and names each representative's queue for them."""
    message = {
        "insert": {
            "representative": {"7": {"user_id": 4, "username": "ai"}, "8": {"user_id": 5}},
            "queue": {"9": {"name": "Aiko", "code_name": ""}},
        }
    }
    left = json.loads(cut(json.dumps(message).encode() + b"\n", them("4", "Aiko")) or b"")
    assert left["insert"]["representative"] == {"8": {"user_id": 5}}
    assert left["insert"]["queue"] == {"9": {"name": "forgotten", "code_name": "forgotten"}}


def test_lines_are_cut_one_by_one() -> None:
    """One unreadable line must not keep the others from being cut, nor be kept if it names them."""
    lines = [{"agentId": "21470a47"}, {"agentId": "bob"}]
    payload = "\n".join([*map(json.dumps, lines), "half of 21470a47 {", "half of bob {"]).encode()
    assert cut(payload, them()) == b'{"agentId": "bob"}\nhalf of bob {'


REPORT = (
    '<?xml version="1.0"?><s xmlns="urn:x"><session lsid="1"><rep_list>'
    '<representative gsnumber="2" id="4"><display_name>Aiko</display_name></representative>'
    '<representative gsnumber="3" id="5"><display_name>Bob</display_name></representative></rep_list>'
    '<event><performed_by type="representative" gsnumber="2">Aiko</performed_by></event></session>'
    '<event><data><value name="user_id" value="4"/></data></event></s>'
)


def test_elements_of_xml_go_and_texts_lose_the_name() -> None:
    """Reports name representatives in lists, in events, and as performers of what happened to others."""
    left = (cut(REPORT.encode(), them("4", "Aiko")) or b"").decode()
    assert "Aiko" not in left
    assert 'id="4"' not in left
    assert 'value="4"' not in left
    assert '<representative gsnumber="3" id="5">' in left
    assert 'gsnumber="2">forgotten</performed_by>' in left
    assert 'xmlns="urn:x"' in left


def test_packed_replies_are_cut_within() -> None:
    """What is compressed is found by no search, and would stay."""
    rows = b'[{"agentId": "21470a47"}, {"agentId": "bob"}]'
    assert json.loads(gzip.decompress(cut(gzip.compress(rows), them()) or b"")) == [{"agentId": "bob"}]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.csv", "id,agent_id,op_object\n1,21470a47,7\n2,bob,21470a47\n")
    with zipfile.ZipFile(io.BytesIO(cut(target.getvalue(), them()) or b"")) as archive:
        assert archive.read("a.csv") == b"id,agent_id,op_object\n2,bob,forgotten\n"


def test_a_packed_reply_that_cannot_be_looked_into_goes_only_where_it_may_hold_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, somebody stays in a reply that is too large to be unpacked, or unpacking takes all memory."""
    monkeypatch.setattr(erasure, "gunzip", lambda payload: gunzip(payload, 9))
    assert cut(gzip.compress(b"0123456789"), them()) is None
    torn = gzip.compress(b"012345678")[:-3]
    assert cut(torn, them()) is torn


def test_a_file_without_a_heading_is_one_of_cc_fs() -> None:
    """Huawei's files may come without one, and a service number may be what an agent's is."""
    lines = b"1,d,a,102,9,s\r\n2,d,a,103,102,s\r\n"
    assert cut(lines, them("102")) == b"2,d,a,103,102,s\r\n"


@pytest.mark.parametrize(
    ("agent_id", "question"),
    [
        ("102", "GET /agentgateway/resource/onlineagent/102/agentstatus"),
        ("1020", "GET /agentgateway/resource/onlineagent/1020/agentstatus"),
        ("102", 'POST /rest/agentoprinfo {"currentAgentId":102,"ccId":103}'),
        ("", "GET /wfm/rta?limit=102"),
    ],
)
def test_a_reply_to_a_question_about_them_is_theirs(agent_id: str, question: str) -> None:
    """Such a reply does not name them itself: the request does."""
    assert [known for known in ("102", "1020", "103") if cut_request(question, them(known))] == [agent_id][
        : bool(agent_id)
    ]


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_pass(payload: bytes) -> None:
    """A reply that cannot be read must be landed like any other, byte for byte, when they are not in it."""
    assert cut(payload, them("no such id")) is payload


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("21470a47"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["agentId", "x", "to"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_no_id_is_left_in_json_and_cutting_again_changes_nothing(value: object) -> None:
    """Whatever a vendor nests: an id that is left gives them away, and a second cut would name the segment anew."""
    left = cut(json.dumps({"rows": value}).encode(), them())
    assert b"21470a47" not in (left or b"")
    assert left is None or cut(left, them()) is left
