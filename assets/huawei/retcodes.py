"""What the gateway's return codes ask of us. They come with HTTP 200 (support.huaweicloud.com … cec_07_0580).

Nothing is asked here, and no state is read: that belongs in staging.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec


class Verdict(Enum):
    """What to do after an answer."""

    FINE = "fine"
    REAUTHENTICATE = "reauthenticate"
    RETRY = "retry"
    SLOWER = "slower"
    TAKEN = "taken"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


VERDICTS: Mapping[str, Verdict] = MappingProxyType(
    {
        "0": Verdict.FINE,
        "000-003": Verdict.REAUTHENTICATE,  # no permission, or the GUID has expired
        "100-006": Verdict.REAUTHENTICATE,  # not signed in; a wrong GUID gives it, too
        "100-008": Verdict.REAUTHENTICATE,  # signed out already
        "000-000": Verdict.RETRY,  # unknown
        "000-004": Verdict.RETRY,  # the agent is being moved to another node
        "100-003": Verdict.RETRY,  # a resource is not there at the moment
        "100-007": Verdict.RETRY,  # exception inside
        "000-007": Verdict.SLOWER,  # the interface is called too often
        "100-002": Verdict.TAKEN,  # somebody is signed in there already
        "100-015": Verdict.TAKEN,  # the same, and they cannot be forced out
    }
    # What somebody must mend: parameters, sign-in, permission, type of agent, phone, address.
    | dict.fromkeys(("000-001", "000-002", "000-005", "000-006"), Verdict.REFUSED)
    | dict.fromkeys(("100-001", "100-004", "100-005", "100-009", "100-011", "100-012"), Verdict.REFUSED)
    | dict.fromkeys(("100-013", "100-014", "100-016", "100-017"), Verdict.REFUSED)
)
"""A code that does not stand here may be a fault that passes: it is asked again, ever more rarely up to a minute."""

LOCKING = frozenset({"100-004", "100-017"})
"""A wrong password: an account that is tried too often is locked."""

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "000-002": "the gateway takes the address or a parameter for wrong; check base_url and the work number",
        "000-003": "no permission, or the GUID has expired",
        "100-001": "sign-in parameters are missing or wrong; check id and phone",
        "100-002": "somebody is signed in there, and nobody is thrown out; free the seat, or use guid_file or cms",
        "100-015": "somebody is signed in there, and nobody is thrown out; free the seat, or use guid_file or cms",
        "100-004": "wrong password; check password and the environment variable that it names",
        "100-006": "not signed in",
        "100-013": "the phone number is wrong; check phone",
        "100-014": "the phone number is not in the configured range; check phone",
    }
)


class Reply(msgspec.Struct):
    """The envelope of every answer. The code is a text, in older versions perhaps a number."""

    retcode: str | int
    event: msgspec.Raw = msgspec.Raw()


_DECODER = msgspec.json.Decoder(Reply)


def judge(body: bytes) -> tuple[Verdict, str, bool]:
    """What to do after an answer with HTTP 200, its code, and whether it holds an event."""
    try:
        reply = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Verdict.UNREADABLE, "", False
    code = str(reply.retcode)
    has_event = bytes(reply.event) not in {b"", b"null"}
    return VERDICTS.get(code, Verdict.SLOWER), code, has_event


def explain(code: str) -> str:
    """A code in words, with the way out where there is one; an empty one is that of an answer that has none."""
    if not code:
        return "the answer is none of CC-Gateway's; check base_url, port 8043 by default"
    meaning = MEANINGS.get(code, "see the vendor's list of return codes (cec_07_0580)")
    return f"retcode {code}: {meaning}"
