"""Reads the XML of the Command and Reporting APIs as far as a client must: errors, permissions, counts, a listing.

Namespaces differ by product and age, and so do roots; only local names count here. Entities and document types are
refused, since no reply needs them. Rows are made of a reply in SQL, not here.
"""

import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

GZIP = b"\x1f\x8b"
LARGEST_ERROR = 1 << 20
"""Bytes: a compressed reply that unpacks to more is no error document."""


class UnreadableError(ValueError):
    """A reply is no XML, or XML that no honest appliance sends."""


def read(payload: bytes) -> Element:
    """The root of a document, plain or gzipped.

    Raises:
        UnreadableError: It is not well-formed, holds a document type or entities, or unpacks to more than 1 MiB.
    """
    try:
        root: Element = fromstring(unpacked(payload), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from None
    return root


def unpacked(payload: bytes) -> bytes:
    """A small document without its compression; one that is not compressed as it is.

    Raises:
        UnreadableError: The compression is broken, or more than 1 MiB comes out of it.
    """
    if not payload.startswith(GZIP):
        return payload
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unzip.decompress(payload, LARGEST_ERROR)
    except zlib.error as error:
        raise UnreadableError(f"broken gzip: {error}") from None
    if not unzip.eof:
        raise UnreadableError(f"gzip that is cut, or holds more than {LARGEST_ERROR} bytes")
    return plain


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def every(root: Element, *names: str) -> Iterator[Element]:
    """All elements of these local names, at any depth, in the order of the document."""
    return (element for element in root.iter() if local(element) in names)


def child(element: Element, name: str) -> Element | None:
    """The first child of a local name."""
    return next((one for one in element if local(one) == name), None)


def text(element: Element | None) -> str:
    """All text in an element, trimmed; none gives an empty one."""
    return "" if element is None else "".join(element.itertext()).strip()


def error(root: Element) -> str | None:
    """What an error document says: ``<error>`` is its root or a child of the root (both seen); None for any other."""
    found = root if local(root) == "error" else child(root, "error")
    return None if found is None else text(found) or "an error without words"


def permissions(root: Element) -> dict[str, str]:
    """The account's permissions of a ``get_api_info`` reply: ``perm_command`` to ``full_access``, others to 1 or 0.

    How ``<permission>`` names itself is not established; name and value are taken from wherever they stand: the
    element's own name, its attributes, its text or its children.
    """
    found: dict[str, str] = {}
    for element in root.iter():
        if local(element).startswith("perm_"):
            found[local(element)] = text(element)
        elif local(element) == "permission":
            said = [*element.attrib.values(), *(element.text or "").split("="), *map(text, element)]
            words = [word.strip() for word in said if word.strip()]
            names = [word for word in words if word.startswith("perm_")]
            values = [word for word in words if not word.startswith("perm_")]
            if names and values:
                found[names[0]] = values[0]
    return found
