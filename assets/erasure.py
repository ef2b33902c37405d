"""Cuts a person out of vendors' replies: their records go, and where others' records name them stands ``forgotten``.

For all vendors and formats, by the fields that hold an agent's id; a new vendor's go into the sets below. Pure: where
replies lie, and who is to be forgotten, belongs in ``orchestration``.
"""

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from assets.bodies import BodyError, TooLargeError, gunzip

FORGOTTEN = "forgotten"
# Whose record it is, as keys are when small letters and digits are all that is left of them.
_OWN = {"agentid", "userid", "currentagentid", "representativeuserid"}
# Whom a record is about beside its owner. Ids may be small numbers: elsewhere they are something else.
_MENTION = {"toagentid", "fromagentid", "opobject", "operateobject", "primaryrepid", "agentids", "agentno", "workno"}
_NAMES = {"agentname", "username", "displayname", "privatedisplayname", "privatename"}
_OWN_TAGS = {"rep", "representative", "primary_rep"}
# Fields of the lines of Huawei's CC-FS, which may come without a heading: whose they are, and on whom or what.
_CC_FS_AGENT, _CC_FS_OBJECT = 3, 10
_TOKEN = re.compile(r"[\w.@-]+")
_ANY: Any = object()


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be cut out, known by tests, so that nobody has to keep their id.

    Attributes:
        is_id: Whether a text is their id.
        is_name: Whether a text is one of their names, whole.
        names: Gathers the names that their own records gave, as they are cut out.
    """

    is_id: Callable[[str], bool]
    is_name: Callable[[str], bool] = lambda _: False
    names: set[str] = field(default_factory=set)


def cut_request(request: str, person: Person) -> bool:
    """Whether a reply is about this person alone: its request names them in the path, or as the agent asked for."""
    path, _, body = request.partition(" {")
    asked = re.search(r'"(?:currentAgentId|agentId)": ?"?([^",}]+)', body)
    words = path.partition(" ")[2].partition("?")[0].split("/")
    return any(map(person.is_id, words)) or bool(asked and person.is_id(asked[1]))


def cut(payload: bytes, person: Person) -> bytes | None:
    """A reply without this person: the same object where they are not in it, None where nothing else is.

    Only a reply in which they were is written anew; then only its values are what they were, not its white space. One
    that cannot be read, with their id in it, goes whole, and so does one that unpacks to more than is read.
    """
    if payload[:2] == b"\x1f\x8b":
        return _packed(payload, person)
    if payload[:4] == b"PK\x03\x04":
        return _zipped(payload, person)
    text = payload.decode("utf-8-sig", "replace")
    start = text.lstrip()[:1]
    if start == "<":
        return _xml(payload, person)
    if start in ("{", "["):
        return _json(payload, text, person)
    return _csv(payload, text, person)


def _packed(payload: bytes, person: Person) -> bytes | None:
    try:
        inner = gunzip(payload)
    except TooLargeError:
        return None
    except BodyError:
        return payload
    found = cut(inner, person)
    return payload if found is inner else None if found is None else gzip.compress(found, mtime=0)


def _zipped(payload: bytes, person: Person) -> bytes:
    target, changed = io.BytesIO(), False
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
            for info in old.infolist():
                inner = old.read(info)
                found = cut(inner, person)
                changed = changed or found is not inner
                new.writestr(zipfile.ZipInfo(info.filename, info.date_time), found or b"")
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
        return payload
    return target.getvalue() if changed else payload


def _json(payload: bytes, text: str, person: Person) -> bytes | None:
    try:
        found, changed = _walk(json.loads(text), person)
    except (ValueError, RecursionError):
        return _lines(payload, text, person)
    if not changed:
        return payload
    end = "\n" if text.endswith("\n") else ""
    return None if found is _ANY else _encoded(found) + end.encode()


def _lines(payload: bytes, text: str, person: Person) -> bytes | None:
    """One message a line; what is no message goes whole if their id is in it."""
    kept, changed = [], False
    for line in text.split("\n"):
        try:
            found, touched = _walk(json.loads(line), person) if line.strip() else (line, False)
        except (ValueError, RecursionError):
            found, touched = _ANY, any(map(person.is_id, _TOKEN.findall(line)))
        changed = changed or touched
        if not touched:
            kept.append(line)
        elif found is not _ANY:
            kept.append(_encoded(found).decode())
    if not changed:
        return payload
    return "\n".join(kept).encode() if any(line.strip() for line in kept) else None


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _walk(value: Any, person: Person, key: str = "") -> tuple[Any, bool]:
    """The value without them, and whether they were in it; ``_ANY`` in its place where it is theirs."""
    if isinstance(value, dict):
        if any(_bare(k) in _OWN and _scalar(v) and person.is_id(str(v)) for k, v in value.items()):
            person.names.update(str(v) for k, v in value.items() if _bare(k) in _NAMES and v)
            return _ANY, True
        walked = {k: _walk(v, person, k) for k, v in value.items()}
        left = {k: v for k, (v, _) in walked.items() if v is not _ANY}
        # BeyondTrust's queue of one representative has a name alone; a transfer to it would have no receiver.
        if left.get("name") == FORGOTTEN and left.get("code_name") == "":
            left["code_name"] = FORGOTTEN
        return left, any(touched for _, touched in walked.values())
    if isinstance(value, list):
        found = [_walk(item, person, key) for item in value]
        return [v for v, _ in found if v is not _ANY], any(touched for _, touched in found)
    if _scalar(value) and _names_them(str(value), _bare(key), person):
        return FORGOTTEN, True
    return value, False


def _names_them(text: str, key: str, person: Person) -> bool:
    telling = key in _MENTION or not (text.isdigit() or len(text) < 6)  # noqa: PLR2004 -- a short text may be a word
    return (telling and person.is_id(text)) or person.is_name(text)


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _bare(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _xml(payload: bytes, person: Person) -> bytes | None:
    try:
        root = fromstring(payload)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        seen = any(map(person.is_id, _TOKEN.findall(payload.decode("utf-8", "replace"))))
        return None if seen else payload
    if not _prune(root, person):
        return payload
    # Written as they came, with one namespace for all: ElementTree would give each name a prefix.
    space = root.tag[1:].partition("}")[0] if root.tag.startswith("{") else ""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if space:
        root.set("xmlns", space)
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _prune(element: Element, person: Person) -> bool:
    changed = False
    for child in list(element):
        if _is_theirs(child, person):
            person.names.update(
                e.text for e in child.iter() if _bare(e.tag.rpartition("}")[2]) in _NAMES and e.text is not None
            )
            element.remove(child)
            changed = True
        else:
            changed = _prune(child, person) or changed
    if element.text and person.is_name(element.text.strip()):
        element.text, changed = FORGOTTEN, True
    for name, value in element.attrib.items():
        if person.is_name(value) or (name == "id" and element.get("type") == "representative" and person.is_id(value)):
            element.set(name, FORGOTTEN)
            changed = True
    return changed


def _is_theirs(element: Element, person: Person) -> bool:
    tag = element.tag.rpartition("}")[2]
    if tag in _OWN_TAGS:
        return person.is_id(element.get("id", ""))
    return tag == "event" and any(
        value.get("name") == "user_id" and person.is_id(value.get("value", "")) for value in element.iter()
    )


def _csv(payload: bytes, text: str, person: Person) -> bytes | None:
    """Lines of a table go by the column of their agent; where a file has no heading, it is one of CC-FS's."""
    lines = text.split("\n")
    head = [_bare(name) for name in _cells(lines[0])]
    owners, mentions = ([place for place, name in enumerate(head) if name in kind] for kind in (_OWN, _MENTION))
    if not owners:
        owners, mentions = [_CC_FS_AGENT], [_CC_FS_OBJECT]
    found = [_line(line, owners, mentions, person) for line in lines]
    kept = [line for line in found if line is not None]
    if kept == lines:
        return payload
    return "\n".join(kept).encode() if any(line.strip() for line in kept) else None


def _line(line: str, owners: Sequence[int], mentions: Sequence[int], person: Person) -> str | None:
    cells = _cells(line)
    if any(place < len(cells) and person.is_id(cells[place]) for place in owners):
        return None
    named = [place for place in mentions if place < len(cells) and person.is_id(cells[place])]
    if not named:
        return line
    target = io.StringIO()
    csv.writer(target, lineterminator="\r" if line.endswith("\r") else "").writerow(
        FORGOTTEN if place in named else cell for place, cell in enumerate(cells)
    )
    return target.getvalue()


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")]), [])
    except csv.Error:
        return []
