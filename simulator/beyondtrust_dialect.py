"""What the public papers on BeyondTrust Remote Support leave open, and who may ask.

What belongs here: the readings of the vendor's documents as one frozen set of knobs, the
simulated site's account, and the names both need.  What does not: faults that any
vendor's API can show (`faults.py`), and any answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

# The live feed's WebSocket subprotocol; its spaces make it no legal token of RFC 6455.
SUBPROTOCOL: Final = "ingredi state api"

TABLES: Final = (
    "attendee", "customer_client", "presentation_session", "presenter", "queue", "representative",
    "representative_queue", "representative_support_session", "support_session", "support_session_attribute",
    "support_session_skill",
)  # fmt: skip

NAMESPACES: Final = {
    "beyondtrust": "https://www.beyondtrust.com/namespaces/API/",
    "bomgar": "http://www.bomgar.com/namespaces/API/",
    "sra": "http://www.beyondtrust.com/sra/namespaces/API/",
}

Permission = Literal[
    "perm_command",
    "perm_real_time_state",
    "perm_reporting_archive",
    "perm_reporting_support",
]
PERMISSIONS: Final[tuple[Permission, ...]] = (
    "perm_command",
    "perm_real_time_state",
    "perm_reporting_archive",
    "perm_reporting_support",
)


@dataclass(frozen=True)
class Dialect:
    """How to read what is open or varies between sites; defaults are seen or our best guess.

    token_seconds, bearer_word, token_cap: a token's life on the simulated clock (3600, seen
        in mocks as 1799), its type's spelling, and how many are valid at once.
    requests_per_second, requests_per_hour: limits in real time over both HTTP APIs.
    connections: replies may keep the connection ('kept'), name its end ('closed'), or a
        second call on one connection is cut off without an answer ('enforced').
    denied: permissions withheld from the account.
    denial: a withheld API answers with an error document at 200, or with status 403.
    namespace, info_root: XML namespace family; root element of `get_api_info`.
    command_errors: an action's error is the 'root' of the answer, or 'inside' the action's usual root.
    abnormal_ends: share of sessions that end abnormally: reports give them no end, ever.
    lseq: sessions' running numbers are 'unique', or 'repeated', since the vendor promises neither order nor uniqueness.
    language: of the "no data" errors.
    archive_errors: 'plain' XML or 'gzip'.
    archive_minutes: how long after its end an archive can be had.
    archive_days: how many active days are kept, today included.
    inactive_days: days on which the appliance's processes did not run: they have no archive.
    archive_time_key, archive_time: under which name an archived event says when, as UNIX
        'seconds', with a fraction ('fraction'), or as 'iso' text.
    site_minutes_east: offset from UTC of the days that archives are filed under.
    handshake: 'subprotocol', or the pre-OAuth 'ns01' that names company and API in-band.
    company_header: the WebSocket upgrade is refused without `X-Ns-Company`.
    reply_type: success replies repeat the request's type ('echo') or have none ('absent').
    refusal: what is refused in-band gets a reply with `success` false ('reply') before the
        connection closes, or just the close ('close').
    integrations: how many connections may receive updates.
    expiry_closes: a connection ends when the token it began with expires.
    update_type: name of the messages with changes.
    foreign_keys, delete_ids, user_ids: JSON types of references to row ids, of ids in
        `delete`, and of the representative's lasting `user_id`.
    full_copy: the copy after a subscription is 'one' message, or one 'per_table'; nothing marks its end.
    update_rows: updates carry the changed columns ('partial') or the whole row.
    framing: one 'message' to a WebSocket frame, all that is due 'packed' in one, each
        'split' over several, or cut anywhere at 'random' (seeded).
    latency_seconds: updates come up to this late, in order (documented: up to 20).
    slow_seconds: real seconds a reader may take for what is due before it is cut off.
    restart: a restart tells its readers `truncate_model` and a new full copy, or closes.
    idle_seconds: no input for this long makes a representative idle (seen: 900).
    held_queue: while a representative has a session its `queue_id` is that person's own
        queue ('representative'), null ('none'), or the one it came from ('kept').
    """

    token_seconds: int = 3600
    bearer_word: Literal["Bearer", "bearer"] = "Bearer"
    token_cap: int = 30
    requests_per_second: int = 20
    requests_per_hour: int = 15_000
    connections: Literal["kept", "closed", "enforced"] = "kept"
    denied: tuple[Permission, ...] = ()
    denial: Literal["error", "forbidden"] = "error"
    namespace: Literal["beyondtrust", "bomgar", "sra"] = "beyondtrust"
    info_root: Literal["api_information", "get_api_info"] = "api_information"
    command_errors: Literal["root", "inside"] = "root"
    abnormal_ends: float = 0.0
    lseq: Literal["unique", "repeated"] = "unique"
    language: Literal["en", "fr"] = "en"
    archive_errors: Literal["plain", "gzip"] = "plain"
    archive_minutes: float = 3.0
    archive_days: int = 7
    inactive_days: tuple[date, ...] = ()
    archive_time_key: str = "timestamp"
    archive_time: Literal["seconds", "fraction", "iso"] = "seconds"
    site_minutes_east: int = 0
    handshake: Literal["subprotocol", "ns01"] = "subprotocol"
    company_header: bool = False
    reply_type: Literal["echo", "absent"] = "echo"
    refusal: Literal["reply", "close"] = "reply"
    integrations: int = 30
    expiry_closes: bool = False
    update_type: Literal["update_model", "model_update"] = "update_model"
    foreign_keys: Literal["string", "integer"] = "string"
    delete_ids: Literal["string", "integer"] = "string"
    user_ids: Literal["string", "integer"] = "integer"
    full_copy: Literal["one", "per_table"] = "one"
    update_rows: Literal["partial", "whole"] = "partial"
    framing: Literal["message", "packed", "split", "random"] = "message"
    latency_seconds: float = 0.0
    slow_seconds: float = 30.0
    restart: Literal["truncate", "close"] = "truncate"
    idle_seconds: float = 900.0
    held_queue: Literal["representative", "none", "kept"] = "representative"


@dataclass(frozen=True)
class Account:
    """Who may ask: drawn from the seed, so that a demo can be repeated.

    `username` and `password` are for the pre-OAuth handshake only.
    """

    company: str
    client_id: str
    client_secret: str
    username: str
    password: str

    @staticmethod
    def of(seed: int) -> Account:
        """Return the account of a seed."""
        rng = random.Random(f"{seed}/beyondtrust/account")
        return Account(
            company="examplesupport",
            client_id=f"{rng.getrandbits(160):040x}",
            client_secret=f"simulated-secret-{rng.getrandbits(64):016x}",
            username="shiftbook",
            password=f"simulated-secret-{rng.getrandbits(64):016x}",
        )


def company_title(company: str) -> str:
    """Return how a company's API name is written on a page."""
    return company.replace("support", " Support").title()
