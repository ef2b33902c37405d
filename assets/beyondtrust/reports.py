"""What an answer of the Command or Reporting API is: a document, nothing, a refusal, or something that nobody can read.

"No data" and refusals both come as ``<error>`` with status 200, in the site's language. How the clients go on from
there is theirs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from xml.etree.ElementTree import Element

from assets.beyondtrust import xml
from assets.beyondtrust.appliance import PERMISSIONS
from assets.http import PermanentError, Reply

NOTHING = re.compile(
    r"no archives? (was |were )?found|matching your chosen criteria|correspondant à vos critères", re.IGNORECASE
)
"""Three of the vendor's texts in English, one in French, as clients have met them."""

REFUSAL = re.compile(
    r"permission|not (allowed|permitted|enabled)|denied|disabled|authori[sz]|autoris|autoriz|berechtig",
    re.IGNORECASE,
)
"""The vendor's own words for a missing permission were never seen; these are the words that any such text must use."""


class Kind(Enum):
    """What an answer is."""

    DOCUMENT = "document"
    NOTHING = "nothing"
    ERROR = "error"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was looked into; ``says`` is the text of an error, or why it cannot be read."""

    kind: Kind
    root: Element | None = None
    says: str = ""


def look(source: str, reply: Reply, body: bytes | None = None) -> Answer:
    """Look into an answer.

    Args:
        source: Name of the source, for messages.
        reply: The answer.
        body: What to read in place of the answer's own bytes.

    Raises:
        PermanentError: It says that the account may not ask.
    """
    try:
        root = xml.read(reply.body if body is None else body)
    except xml.UnreadableError as error:
        return Answer(Kind.UNREADABLE, says=str(error))
    says = xml.error(root)
    if says is None:
        return Answer(Kind.DOCUMENT, root)
    says = " ".join(says.split())[:200]
    if NOTHING.search(says):
        return Answer(Kind.NOTHING, root, says)
    if REFUSAL.search(says):
        message = f"{source}: {reply.request} was refused ({says}); {PERMISSIONS}"
        raise PermanentError(message, vendor_time=reply.vendor_time)
    return Answer(Kind.ERROR, root, says)


def denies(root: Element, permission: str) -> bool:
    """Whether a ``get_api_info`` reply says that the account lacks a permission."""
    held: Mapping[str, str] = xml.permissions(root)
    return held.get(permission) in {"0", "deny"}
