"""What SQL models may call beside DuckDB's own, for payloads as received: see :func:`add_functions`.

Pure functions of their argument, NULL for what cannot be read, never an exception: staging makes a reject of it.
Anything that SQL can say itself belongs in the model. A model is staged anew when its text changes, and not when a
function here does: one whose results change takes a new name.
"""

import csv
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import duckdb
from assets.bodies import MOST_UNPACKED, BodyError
from assets.bodies import gunzip as unpack
from assets.json_text import paired
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from duckdb.func import FunctionNullHandling

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def add_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a connection's SQL call ``gunzip(BLOB) → BLOB``, ``xml_to_json(BLOB) → VARCHAR`` and ``csv_to_json``.

    ``csv_to_json(BLOB, VARCHAR) → VARCHAR`` takes the names of the columns, separated by commas;
    ``pair_surrogates(VARCHAR) → VARCHAR`` makes JSON of what is none for half a character.
    """
    # With the default handling of NULL, DuckDB refuses a function that returns it.
    handling = FunctionNullHandling.SPECIAL
    connection.create_function("gunzip", gunzip, ["BLOB"], "BLOB", null_handling=handling)
    connection.create_function("xml_to_json", xml_to_json, ["BLOB"], "VARCHAR", null_handling=handling)
    connection.create_function("pair_surrogates", pair_surrogates, ["VARCHAR"], "VARCHAR", null_handling=handling)
    connection.create_function("csv_to_json", csv_to_json, ["BLOB", "VARCHAR"], "VARCHAR", null_handling=handling)


def pair_surrogates(text: str | None) -> str | None:
    """JSON in which no half of a character stands alone: :func:`assets.json_text.paired`."""
    return None if text is None else paired(text.encode()).decode()


def gunzip(packed: bytes | None) -> bytes | None:
    """Unpack gzip; bytes that are not packed are returned as they are.

    None for what is broken, cut off, or larger than 512 MiB unpacked.
    """
    if packed is None or not packed.startswith(GZIP):
        return packed
    try:
        return unpack(packed, MOST_UNPACKED)
    except BodyError:
        return None


def xml_to_json(document: bytes | None) -> str | None:
    """An XML document as JSON in which one and many are written alike, so that SQL can read it by types.

    An element is an object: attributes are ``"@name"``, text without surrounding space is ``"#text"``, and child
    elements are lists by name. Namespaces are left out, since they differ by product and age of an appliance.
    ``<a xmlns="…"><b id="1">x</b></a>`` becomes ``{"a": [{"b": [{"@id": "1", "#text": "x"}]}]}``.

    None for what is no XML, declares a document type or entities, or is nested too deeply.
    """
    if document is None:
        return None
    try:
        root = fromstring(document, forbid_dtd=True)
        return json.dumps({_name(root.tag): [_element(root)]}, ensure_ascii=False)
    # Encodings that Python does not know are a LookupError or a ValueError.
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return None


def csv_to_json(payload: bytes | None, columns: str | None) -> str | None:
    """The lines of a CSV, plain or zipped, as a JSON list of objects: each cell by its column's name, and ``line``.

    A line with more or fewer cells is ``{"line": …}`` alone. ``csv_to_json(b"1,x", "id,word")`` becomes
    ``[{"id": "1", "word": "x", "line": "1,x"}]``. None for a broken zip.
    """
    if payload is None or columns is None:
        return None
    lines = csv_lines(payload, columns.split(","))
    return None if lines is None else json.dumps(lines, ensure_ascii=False)


def csv_lines(payload: bytes, columns: Sequence[str]) -> list[dict[str, str]] | None:
    """The same as objects. A line is a record, so that a stray quote harms no other; a header and empty lines are none.

    Bytes that are no UTF-8 become U+FFFD. Of a zip all members that end in ``.csv`` are read, in their order; None for
    one that is broken, locked, without such a member, or larger than 512 MiB unpacked.
    """
    tables = _members(payload) if payload.startswith(ZIP) else [payload]
    if tables is None:
        return None
    return [line for table in tables for line in _lines(table, columns)]


def _members(archive: bytes) -> list[bytes] | None:
    left = MOST_UNPACKED + 1
    found = []
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            for member in opened.infolist():
                if member.filename.lower().endswith(".csv"):
                    with opened.open(member) as unpacked:
                        found.append(unpacked.read(left))
                    left -= len(found[-1])
                    if left <= 0:
                        return None
    # A locked member is a RuntimeError, an unknown method a NotImplementedError, which is one, too.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError, LookupError):
        return None
    return found or None


def _lines(table: bytes, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    for raw in table.decode("utf-8-sig", "replace").split("\n"):
        line = raw.removesuffix("\r")
        try:
            cells = next(csv.reader([line]), [])
        except csv.Error:
            cells = []
        if cells == list(columns) or not line.strip():
            continue
        yield {**(dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else {}), "line": line}


def _element(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {f"@{_name(name)}": value for name, value in element.attrib.items()}
    if text := (element.text or "").strip():
        found["#text"] = text
    for child in element:
        found.setdefault(_name(child.tag), []).append(_element(child))
    return found


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]
