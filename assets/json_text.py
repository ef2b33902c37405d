"""JSON as vendors send it, made readable where one text in it would have the whole reply refused. No vendor, no SQL."""

import re

_SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]")
# An escaped backslash, two halves that are a character, or a half alone: whichever begins first.
_ESCAPE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def paired(payload: bytes) -> bytes:
    r"""JSON in which a half of a UTF-16 character alone, as ``\ud800``, stands as ``\ufffd``.

    Names that were cut by length end in one; DuckDB and msgspec refuse all of the reply for it.
    """
    if not _SUSPECT.search(payload):
        return payload
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], payload)
