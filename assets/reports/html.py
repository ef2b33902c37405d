"""A report as one HTML page: what a reader must know first, pictures, tables that sort, and what each column means.

Written piece by piece, so a long report needs little memory. The frame is in ``page.py``, the pictures in
``pictures.py``; what the figures are was decided before.
"""

import html
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from assets.reports.model import Column, Report, Row, Table
from assets.reports.page import UNKNOWN, document, duration, escape, is_known, isolated, percent
from assets.reports.pictures import pictures

# A browser lays out 40,000 cells in about a second; ten times as many take it a minute, and nobody reads them.
MOST_ROWS = 2_000
_WORD = 10  # characters that stay on one line on paper, too
_SHORT = 20  # on a screen
_SHORT_ID = 40  # of an id or a time, which nobody can read in pieces
# What stands there in another form, or says nothing to who reads paper: sheets are narrow.
_NOT_ON_PAPER = {"local_label", "session_id"}
# Which column names the row for those who hear the table, the first that is there.
_NAMES = ("agent_name", "from_agent_name", "interaction_id", "team", "feed", "source")
_NUMERIC = {"number", "seconds", "ratio", "count"}
_REASONS = {
    "ratio": "not known: what it is a share of is 0 or not known, or the source does not tell a part of it",
    "seconds": "not known: the source does not tell it, or it has not happened yet",
    "time": "not known, or it has not happened yet",
}
_NOTE = (
    f"{UNKNOWN} is not known, which is not 0. Durations are h:mm:ss. Rows sort by the head of a column; what is not "
    "known comes last. On paper ids and codes are cut off, and ids of sign-ins and the local start are left out."
)


def render(report: Report, path: Path) -> None:
    """Write the report as a page that works offline and prints on A4.

    Of each table at most 2,000 rows are shown, and the page says so; the other formats hold all.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(document(report.title, _body(report), styles=["page.css"], scripts=["page.js"]))


def _body(report: Report) -> Iterator[str]:
    yield _head(report)
    yield _listed("warnings", "What is wrong with this report", report.warnings)
    yield _listed("changes", f"What changed since edition {report.edition - 1}", report.changes)
    yield _facts(report)
    yield _contents(report)
    yield "<main>\n"
    for table in report.tables:
        yield from _section(report, table)
    yield "</main>\n"
    yield from _meanings(report)
    yield f"<footer>{escape(report.name)}, edition {report.edition}, made by Shiftbook. {_NOTE}</footer>\n"


def _head(report: Report) -> str:
    word = ("whole", "complete") if report.complete else ("partial", "not complete yet")
    return (
        f"<header><h1>{escape(report.title)}</h1>\n"
        f"<p><strong>{report.day:%A %-d %B %Y}</strong> · {escape(_zone(report))} · edition {report.edition} "
        f'<span class="status {word[0]}">{word[1]}</span></p></header>\n'
    )


def _zone(report: Report) -> str:
    offsets = list(dict.fromkeys(_offset(moment) for moment in (report.period_start, report.period_end)))
    return f"{report.zone} (UTC{', later UTC'.join(offsets)})"


def _offset(moment: datetime) -> str:
    return moment.isoformat()[-6:]


def _listed(kind: str, title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<section class="{kind}" aria-labelledby="{kind}"><h2 id="{kind}">{title}</h2><ul>{items}</ul></section>\n'


def _facts(report: Report) -> str:
    items = [
        f"<dt>{escape(what)}</dt>{''.join(f'<dd>{escape(text)}</dd>' for _, text in told)}"
        for what, told in groupby(report.facts, key=itemgetter(0))
    ]
    return f'<dl class="facts">{"".join(items)}</dl>\n'


def _contents(report: Report) -> str:
    links = [f'<a href="#table-{table.name}">{escape(table.title)}</a>' for table in report.tables]
    links.append('<a href="#meanings">What the columns mean</a>')
    return f'<nav aria-label="Contents"><ul>{"".join(f"<li>{link}</li>" for link in links)}</ul></nav>\n'


def _section(report: Report, table: Table) -> Iterator[str]:
    yield f'<section aria-labelledby="table-{table.name}"><h2 id="table-{table.name}">{escape(table.title)}</h2>\n'
    for picture in pictures(report, table):
        kind = "sr" if picture.says_title or picture.title == table.title else "title"
        yield f'<figure><h3 class="{kind}">{escape(picture.title)}</h3>'
        yield f'<div class="picture" tabindex="0" role="group" aria-label="{escape(picture.title)}">'
        yield f"{picture.html}</div>\n<figcaption>{escape(picture.caption)}</figcaption></figure>\n"
    yield f"<p>{escape(table.note)} {_how_many(table)}</p>\n"
    if table.count:
        yield f'<div class="wide" tabindex="0" role="group" aria-labelledby="table-{table.name}"><table>'
        yield f'<caption class="sr">{escape(table.title)}</caption>\n<thead><tr>'
        yield from map(_column_head, table.columns)
        yield "</tr></thead>\n<tbody>\n"
        yield from _rows(report, table)
        yield "</tbody></table></div>\n"
    yield "</section>\n"


def _how_many(table: Table) -> str:
    if table.count > MOST_ROWS:
        return f"<strong>The first {MOST_ROWS:,} of {table.count:,} rows</strong>; the other formats hold all of them."
    return f"{table.count:,} {'row' if table.count == 1 else 'rows'}." if table.count else "None."


def _column_head(column: Column) -> str:
    kind = f"{'n' if column.kind != 'text' else 's'}{_off_paper(column.name)}"
    meaning = escape(column.description)
    return f'<th scope="col" class="{kind}" title="{meaning}"><button>{escape(column.title)}</button></th>'


def _rows(report: Report, table: Table) -> Iterator[str]:
    names = [column.name for column in table.columns]
    head = next((names.index(name) for name in _NAMES if name in names), 0)
    cells = [_cell(report, column, "th" if n == head else "td") for n, column in enumerate(table.columns)]
    for row in islice(table.rows(), MOST_ROWS):
        yield f"<tr>{_joined(cells, row)}</tr>\n"


def _joined(cells: Sequence[Callable[[Any], str]], row: Row) -> str:
    return "".join(cell(value) for cell, value in zip(cells, row, strict=True))


def _cell(report: Report, column: Column, tag: str) -> Callable[[Any], str]:
    """How the cells of a column are written; ``data-v`` is the exact figure, by which rows are sorted."""
    opening = '<th scope="row"' if tag == "th" else "<td"
    kind = f"{'n ' if column.kind in _NUMERIC else ''}u{_off_paper(column.name)}"
    unknown = f'{opening} class="{kind}" title="{_reason(column)}">{UNKNOWN}</{tag}>'
    write = partial(_text, column.name) if column.kind == "text" else partial(_WRITERS[column.kind], report)
    return lambda value: f"{opening}{write(value)}</{tag}>" if is_known(value) else unknown


def _reason(column: Column) -> str:
    return escape(_REASONS.get(column.kind, "not known or not told"))


def _text(name: str, value: Any) -> str:
    text, is_id = str(value), name.endswith(("_id", "_code"))
    short = _SHORT_ID if is_id or name == "local_label" else _SHORT
    kind = f"{'s' if len(text) <= short else 't'}{' id' if is_id else ' two' if len(text) > _WORD else ''}"
    return f' class="{kind}{_off_paper(name)}">{isolated(text)}'


def _off_paper(name: str) -> str:
    return " screen" if name in _NOT_ON_PAPER else ""


def _figure(_: Report, value: float, form: Callable[[float], str]) -> str:
    return f' class="n" data-v="{value!r}">{form(value)}'


def _time(report: Report, value: datetime) -> str:
    """The time of day; with its day where that is another one, with its offset where the day has two."""
    if value == report.period_end:
        shown = "24:00:00"
    elif report.period_start <= value < report.period_end:
        twice = report.period_start.utcoffset() != report.period_end.utcoffset()
        shown = f"{value:%H:%M:%S}{_offset(value) if twice else ''}"
    else:
        shown = f"{value:%Y-%m-%d %H:%M:%S}{_offset(value)}"
    kind = "n" if report.period_start <= value <= report.period_end else "n two"
    return f' class="{kind}" data-v="{value.timestamp():.6f}"><time datetime="{value.isoformat()}">{shown}</time>'


def _date(_: Report, value: Any) -> str:
    return f' class="n" data-v="{value.toordinal()}"><time datetime="{value}">{value}</time>'


_WRITERS: dict[str, Callable[..., str]] = {
    "number": partial(_figure, form=lambda value: f"{value:,.2f}"),
    "count": partial(_figure, form=lambda value: f"{value:,}"),
    "seconds": partial(_figure, form=duration),
    "ratio": partial(_figure, form=percent),
    "time": _time,
    "date": _date,
}


def _meanings(report: Report) -> Iterator[str]:
    """Each column once, with the tables where it means that."""
    meant: dict[tuple[str, str], list[str]] = {}
    for table in report.tables:
        for column in table.columns:
            meant.setdefault((column.title, column.description), []).append(table.title)
    titles = [title for title, _ in meant]
    yield '<section aria-labelledby="meanings"><h2 id="meanings">What the columns mean</h2>\n<dl class="meanings">\n'
    for (title, description), tables in sorted(meant.items(), key=lambda item: item[0][0].casefold()):
        where = f" ({', '.join(dict.fromkeys(tables))})" if titles.count(title) > 1 else ""
        yield f"<div><dt>{escape(title)}{escape(where)}</dt><dd>{html.escape(description)}</dd></div>\n"
    yield "</dl></section>\n"
