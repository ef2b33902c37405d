"""The frame of every page: one file that asks nobody for anything, and text that cannot be anything but text.

What stands on a page belongs in ``html.py`` and ``overview.py``, how it looks in the style sheets beside this module.
"""

import base64
import hashlib
import html
import math
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from assets.reports.safe import shortened, visible

UNKNOWN = "\N{EN DASH}"
CLIPPED_AT = 60
_FOLDER = Path(__file__).parent


def document(
    title: str,
    body: Iterable[str],
    *,
    styles: Iterable[str],
    scripts: Iterable[str],
    refresh_seconds: int | None = None,
) -> Iterator[str]:
    """A whole HTML page in pieces.

    The policy lets a browser run just this script and ask for nothing (CSP Level 3); the page works from a disk.

    Args:
        title: Of the window; made safe here.
        body: What stands in it; safe already.
        styles: Names of style sheets beside this module.
        scripts: Names of scripts beside this module, which share their functions.
        refresh_seconds: After how many seconds a browser without scripts reads the file again; never unless given.
    """
    codes = [read(name) for name in scripts]
    digests = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in codes]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    yield f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
    if refresh_seconds:
        # It would drop what somebody sorted and where their focus was: with scripts, ``overview.js`` does it.
        yield f'<noscript><meta http-equiv="refresh" content="{refresh_seconds}"></noscript>\n'
    yield from (f"<style>{read(name)}</style>\n" for name in styles)
    yield f'<style>@page {{ @bottom-left {{ content: "{_quoted(title)}"; }} }}</style>\n</head>\n<body>\n'
    yield from body
    yield '<p class="sr" id="said" aria-live="polite"></p>\n'
    yield from (f"<script>{code}</script>\n" for code in codes)
    yield "</body>\n</html>\n"


def _quoted(text: str) -> str:
    """Text within quotes of a style sheet, where nothing but letters and figures can end anything."""
    return "".join(c if c.isalnum() and c.isascii() else f"\\{ord(c):x} " for c in visible(text))


@cache
def read(name: str) -> str:
    """A style sheet or script of this package."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def escape(text: str) -> str:
    """Text for a page or an attribute: what cannot be seen is shown, what HTML would obey is not."""
    return html.escape(visible(text))


def isolated(text: str) -> str:
    """A name as somebody typed it: right-to-left writing does not turn its surroundings; the whole of a long one opens.

    A ``<bdi>``, or for more than 60 columns ``<details>`` with it.
    """
    shown = visible(text)
    if shortened(shown, CLIPPED_AT) == shown:
        return f"<bdi>{html.escape(shown)}</bdi>"
    return (
        f"<details><summary><bdi>{html.escape(shortened(shown, CLIPPED_AT))}</bdi></summary>"
        f"<div><bdi>{html.escape(shown)}</bdi></div></details>"
    )


def clipped(text: str, most: int) -> str:
    """A name for a place where nothing opens, safe; at most so many columns."""
    return html.escape(shortened(visible(text), most))


def is_known(value: object) -> bool:
    """Whether a figure can be shown: NULL, and what is no finite number, is not known."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def duration(seconds: float) -> str:
    """``3725.4`` as ``1:02:05``, to the nearest second."""
    whole = round(abs(seconds))
    sign = "\N{MINUS SIGN}" if seconds < 0 and whole else ""
    return f"{sign}{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def percent(ratio: float) -> str:
    """``0.6428`` as ``64.3 %``, with a space that does not break."""
    return f"{ratio * 100:.1f}\N{NO-BREAK SPACE}%"
