"""Writing the XML of a simulated appliance's Command and Reporting APIs.

What belongs here: elements, escaping, times, the namespaces, and error documents in the
site's language.  What does not: which elements an answer has.
"""

from __future__ import annotations

import gzip
from html import escape
from http import HTTPStatus
from typing import Final, Literal

from simulator.beyondtrust_dialect import NAMESPACES, Dialect
from simulator.facts import SECOND, moment_of
from simulator.wire import Reply, opaque

ApiName = Literal["command", "reporting"]
Nothing = Literal["support", "team", "archive"]

_XML: Final = "text/xml; charset=utf-8"
_NOTHING: Final[dict[str, dict[Nothing, str]]] = {
    "en": {
        "support": "No Support report information matching your chosen criteria is available.",
        "team": "No Support Team report information matching your chosen criteria is available.",
        "archive": "No archives found for the given search criteria.",
    },
    "fr": {
        "support": "Aucune information de rapport Support correspondant à vos critères n\u2019est disponible.",
        "team": "Aucune information de rapport Équipe Support correspondant à vos critères n\u2019est disponible.",
        "archive": "Aucune archive correspondant à vos critères n\u2019est disponible.",
    },
}


class Markup(str):
    """Text that is XML already."""

    __slots__ = ()


def tag(element: str, /, *content: Markup | str | int, **attributes: object) -> Markup:
    """Return an element; plain text in it is escaped, a trailing underscore of an attribute is dropped."""
    inner = "".join(part if isinstance(part, Markup) else escape(str(part), quote=False) for part in content)
    head = "".join(f' {key.rstrip("_")}="{escape(str(value))}"' for key, value in attributes.items())
    return Markup(f"<{element}{head}>{inner}</{element}>" if inner else f"<{element}{head}/>")


def time_text(at: int, dialect: Dialect) -> str:
    """Return an instant (milliseconds UTC) as ISO 8601 to the second, with its offset, in the site's zone."""
    east = dialect.site_minutes_east
    sign = "-" if east < 0 else "+"
    local = moment_of(at // SECOND * SECOND + east * 60 * SECOND)
    return f"{local:%Y-%m-%dT%H:%M:%S}{sign}{abs(east) // 60:02d}:{abs(east) % 60:02d}"


def time_tag(name: str, at: int | None, dialect: Dialect) -> Markup:
    """Return a time of the Reporting API: UNIX seconds beside the text, an empty element for none."""
    return tag(name) if at is None else tag(name, time_text(at, dialect), timestamp=at // SECOND)


def length_text(span: int) -> str:
    """Return a length (milliseconds) as HH:MM:SS."""
    minutes, seconds = divmod(span // SECOND, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def document(api: ApiName, dialect: Dialect, root: str, *content: Markup | str) -> Reply:
    """Return an answer; its root declares the namespace."""
    text = tag(root, *content, xmlns=NAMESPACES[dialect.namespace] + api)
    return Reply(HTTPStatus.OK, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode(), _XML)


def error(api: ApiName, dialect: Dialect, text: str, root: str | None = None) -> Reply:
    """Return an error document, which comes with status 200; `root` is what an answer would have had."""
    if root is not None and dialect.command_errors == "inside":
        return document(api, dialect, root, tag("error", text))
    return document(api, dialect, "error", text)


def nothing(dialect: Dialect, what: Nothing) -> Reply:
    """Return the answer that there is no data, in the site's language; for archives perhaps gzipped."""
    reply = error("reporting", dialect, _NOTHING[dialect.language][what])
    if what != "archive" or dialect.archive_errors == "plain":
        return reply
    return Reply(reply.status, gzip.compress(reply.body, mtime=0), "application/x-gzip")


def forbidden(api: ApiName, dialect: Dialect, root: str | None = None) -> Reply:
    """Return the answer of an API that the account may not use; `root` is as for `error`."""
    if dialect.denial == "forbidden":
        return opaque(HTTPStatus.FORBIDDEN)
    return error(api, dialect, "You do not have permission to perform this action.", root)
