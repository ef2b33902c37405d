"""Makes text from vendors harmless to open: what cannot be seen becomes visible, what a spreadsheet would run does not.

Names, reasons and ids are whatever somebody typed. No character is dropped. Escaping for HTML belongs in ``html.py``.
"""

import re

# Marks that turn the direction of what follows, and those that no XML may hold. U+200D joins emoji and stays.
_TURNING = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_HIDDEN = {0x2028, 0x2029, 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB}
_HIDDEN |= {*range(0x7F, 0xA0), *range(0xD800, 0xE000), *range(0xFDD0, 0xFDF0)}
_NO_CHARACTER = 0xFFFE  # the last two of each plane
_SPACE = 0x20  # the first that is no control character
_PICTURES = 0x2400  # the control pictures: U+2400 stands for NUL
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# Also their full-width forms, which spreadsheets of some languages take for the same.
_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"


def visible(text: str) -> str:
    r"""The text with control characters, marks of direction and what is no character shown instead of obeyed.

    ``"a\x00b"`` becomes ``a␀b``, U+202E ``⟨U+202E⟩``. Anything else, emoji and right-to-left letters too, stays.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    code = ord(character)
    if code < _SPACE:
        return chr(_PICTURES + code)
    hidden = code in _TURNING or code in _HIDDEN or code & _NO_CHARACTER == _NO_CHARACTER
    return f"⟨U+{code:04X}⟩" if hidden else character


def is_formula(text: str) -> bool:
    """Whether a spreadsheet could take the text for a formula; a number with its sign is none."""
    start = text.lstrip()[:1]
    return start != "" and start in _STARTS and not _NUMBER.fullmatch(text)


def cell(text: str) -> str:
    """The text for a CSV that may be opened in a spreadsheet: visible, and after an apostrophe where it is a formula.

    OWASP, CSV Injection. ``=1+1`` becomes ``'=1+1``; ``-5`` stays.
    """
    shown = visible(text)
    return f"'{shown}" if is_formula(shown) else shown
