"""What replies of CC-CMS say to who asks: whether they succeeded, and who the agents of a VDN are.

Sends nothing: the clients of the present (``cms_live.py``) and of the past (``cms.py``) ask, each in its own way, what
is wanted here. Rows of states and operations are made by staging.
"""

import time
from collections.abc import Generator

import msgspec

API = "/rest/cmsapp/v1/openapi"
AGENTS = f"{API}/vdn/totalagentstate"
PAGED = f"{API}/vdn/totalagentdynamicinfo"
SUCCESS = frozenset({"0100000", "0"})
AGENTS_SECONDS = 300.0
"""How long a list of agents is good; a new colleague is seen after that at the latest."""

MOST_ON_A_PAGE = 1_000
"""The vendor allows no more (cec_07_0599)."""

MOST_DIGITS = 10

Question = tuple[str, dict[str, object]]
"""A path, and the parameters beside those that every request has."""


class Row(msgspec.Struct, rename="camel", gc=False):
    """What asking needs of a row."""

    agent_id: object = None


class Envelope(msgspec.Struct, rename="camel", gc=False):
    """A reply: the rows stand in ``resultDesc``, and once more in the older ``resultDatas``."""

    result_code: str | int | None = None
    result: object = None
    count: object = None
    result_desc: msgspec.Raw = msgspec.Raw()
    result_datas: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ROWS = msgspec.json.Decoder(list[Row])


class CmsError(ValueError):
    """A reply that is no success; the text holds the code and what the vendor says of it."""


def rows_of(body: bytes) -> list[Row]:
    """The rows of a successful reply, also of one without any.

    Raises:
        CmsError: The reply cannot be read, or says that it failed.
    """
    return _read(body)[0]


def agents_of(body: bytes) -> list[int]:
    """The work numbers of a reply, sorted, each once.

    Raises:
        CmsError: The reply is no success.
    """
    return sorted(_numbers(rows_of(body)))


def _numbers(rows: list[Row]) -> set[int]:
    return {number for row in rows if (number := _number(row.agent_id))}


def _number(value: object) -> int:
    """A number as the vendor writes it, as text or not; 0 for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < MOST_DIGITS else 0


def _read(body: bytes) -> tuple[list[Row], int]:
    """The rows of a reply, and how many there are on all pages together; 0 where it does not say."""
    try:
        envelope = _ENVELOPE.decode(body)
        code = envelope.result_code if envelope.result_code is not None else envelope.result
        if str(code) not in SUCCESS:
            raise CmsError(f"resultCode {code}: see CC-CMS's list of error codes")
        for raw in (envelope.result_desc, envelope.result_datas):
            if bytes(raw).lstrip().startswith(b"["):
                return _ROWS.decode(raw), _number(envelope.count)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise CmsError(f"the reply cannot be read ({error})") from None
    return [], _number(envelope.count)


class AgentList:
    """The agents of a VDN; who was seen once stays.

    Whether the vendor's list names agents who are signed out is not said, and the day of those who left is asked for.
    """

    def __init__(self) -> None:
        self.known: set[int] = set()
        self._good_until = float("-inf")
        # CTI 3.6 does not tell all in one piece (cec_07_0610).
        self._paged = False

    @property
    def is_due(self) -> bool:
        """Whether it is time to ask again."""
        return time.monotonic() >= self._good_until

    def asking(self) -> Generator[Question, bytes, int]:
        """Yield what is to be asked, take the body of each reply; returns how many agents are named.

        Raises:
            CmsError: The vendor tells it in no way. Who asks throws one in where a question was refused.
        """
        refused = None
        if not self._paged:
            try:
                return self.keep(set(agents_of((yield AGENTS, {}))))
            except CmsError as error:
                refused = error
        try:
            found = yield from _pages()
        except CmsError as error:
            raise refused or error from None
        self._paged = True
        return self.keep(found)

    def keep(self, found: set[int]) -> int:
        """Take these, too, and ask again only in a while; returns how many they are."""
        self.known |= found
        self._good_until = time.monotonic() + AGENTS_SECONDS
        return len(found)


def _pages() -> Generator[Question, bytes, set[int]]:
    """Ask for all agents page by page, once more when somebody seems to have moved between pages meanwhile."""
    found: set[int] = set()
    for _ in range(2):
        seen: set[int] = set()
        offset = 0
        while True:
            rows, count = _read((yield PAGED, {"limit": MOST_ON_A_PAGE, "offset": offset}))
            fresh = _numbers(rows) - seen
            seen |= fresh
            offset += MOST_ON_A_PAGE
            # Another of its lists gives everything on each page (seen in an integrator's notes): no news is the end.
            if len(rows) < MOST_ON_A_PAGE or not fresh:
                break
        found |= seen
        if len(found) >= count:
            break
    return found
