"""Makes text from vendors harmless to open: what cannot be seen becomes visible, what a spreadsheet would run does not.

Names, reasons and ids are whatever somebody typed. No character is dropped. Escaping for HTML belongs in ``html.py``.
"""

import re
import unicodedata

_SPACE = 0x20  # the first that is no control character
_PICTURES = 0x2400  # the control pictures: U+2400 stands for NUL
_NO_CHARACTER = 0xFFFE  # the last two of each plane
# What cannot be seen though it is no format character: separators of lines, fillers, no characters.
_HIDDEN = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2028, 0x2029, 0x2065, 0x3164, 0xFFA0, *range(0xFDD0, 0xFDF0)}
# Format characters that are seen: signs that embrace a number.
_SEEN = {*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
_JOINERS = {"\u200c", "\u200d"}  # Persian and Indic letters and emoji are spelt with them
_JOINED = "\u0600"  # the first letter of a script that is
_VARIANTS = {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
_TAGS = {chr(code) for code in range(0xE0020, 0xE0080)}  # of flags such as Scotland's
_BLACK_FLAG = "\U0001f3f4"
_KEYCAP = "\u20e3"
_SKIN = {chr(code) for code in range(0x1F3FB, 0x1F400)}
_FLAGS = {chr(code) for code in range(0x1F1E6, 0x1F200)}
_BROAD = set("MW@%mw")
_MOST_A_COLUMN = 8  # characters; marks over one letter have no end

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# Also their full-width forms, which spreadsheets of some languages take for the same.
_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"
# Where a spreadsheet divides lines at semicolons, or a tab, the rest of a name stands in a cell of its own.
_DIVIDED = re.compile(rf"""([;,\t][\s"]*)(?=[{re.escape(_STARTS)}])(?![+-]\d+([.,]\d+)?\s*([;,\t]|$))""")


def visible(text: str) -> str:
    r"""The text with control and format characters and what is no character shown instead of obeyed or unseen.

    ``"a\x00b"`` becomes ``a␀b``, U+202E ``⟨U+202E⟩``. Joiners, variants and tags stay where scripts and emoji are spelt
    with them. Anything else, emoji and right-to-left letters too, stays.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(text, place) for place in range(len(text)))


def _shown(text: str, place: int) -> str:
    character = text[place]
    code = ord(character)
    if code < _SPACE:
        return chr(_PICTURES + code)
    return f"⟨U+{code:04X}⟩" if _is_hidden(text, place) else character


def _is_hidden(text: str, place: int) -> bool:
    character = text[place]
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if character in _JOINERS:
        return not (_is_letter(before) and _is_letter(after))
    if character in _VARIANTS:
        return not (_is_letter(before) or after == _KEYCAP)
    if character in _TAGS:
        return not text[:place].rstrip("".join(_TAGS)).endswith(_BLACK_FLAG)
    code = ord(character)
    unseen = unicodedata.category(character) in {"Cc", "Cf", "Cs"} and code not in _SEEN
    return unseen or code in _HIDDEN or code & _NO_CHARACTER == _NO_CHARACTER


def _is_letter(character: str) -> bool:
    """Whether a joiner may stand beside it: a letter or mark of such a script, or an emoji."""
    return character >= _JOINED and unicodedata.category(character)[0] not in "CZ"


def shortened(text: str, most: int) -> str:
    """A text of at most so many columns, with an ellipsis for the rest; emoji and letters with marks stay whole.

    Small letters are one column wide, Chinese ones and emoji two.
    """
    used, fits = 0.0, 0
    for place, character in enumerate(text):
        if used <= most - 1 and not _continues(text, place):
            fits = place
        used += _columns(character)
        if used > most or place >= most * _MOST_A_COLUMN:
            return f"{text[: fits or most]}…"
    return text


def _continues(text: str, place: int) -> bool:
    """Whether a character is a part of the one before, as people see it."""
    character, before = text[place], text[:place]
    if character in _FLAGS:
        return (len(before) - len(before.rstrip("".join(_FLAGS)))) % 2 == 1
    return (
        before.endswith("\u200d")
        or unicodedata.category(character).startswith("M")
        or character in _JOINERS | _SKIN | _TAGS
    )


def _columns(character: str) -> float:
    if unicodedata.category(character)[0] == "M" or character in _JOINERS | _TAGS:
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 1.7 if character in _BROAD else 1.2 if character.isupper() else 1


def is_formula(text: str) -> bool:
    """Whether a spreadsheet could take the text for a formula; a number with its sign is none."""
    start = text.lstrip()[:1]
    return start != "" and start in _STARTS and not _NUMBER.fullmatch(text)


def cell(text: str) -> str:
    """The text for a CSV that may be opened in a spreadsheet: visible, with an apostrophe before what is a formula.

    OWASP, CSV Injection. ``=1+1`` becomes ``'=1+1``, ``x;=1+1`` ``x;'=1+1``; ``-5`` stays. The separator by which a
    spreadsheet divides lines is the reader's, so it is done after each that is in use.
    """
    shown = _DIVIDED.sub(r"\1'", visible(text))
    return f"'{shown}" if is_formula(shown) else shown
