"""Charts as SVG: bars with whiskers, stacked intervals, strips of coverage; and a matrix as a table with shades.

Only drawing, from figures that somebody else chose; the agents' day is in ``timeline_svg.py``. Colours are the style
sheet's variables, so that charts follow it into the dark and onto paper, and nothing is said by colour alone.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from assets.reports.page import UNKNOWN, clipped, duration, escape, is_known, percent

_WIDTH = 1000
_LEFT = 230
_RIGHT = 190
_BAR = 30
_LONGEST_LABEL = 26
_LONGEST_SOURCE = 14
_LONGEST_HEAD = 44  # of the matrix, where they wrap
_MOST_LABELS = 13  # hours on an axis before they touch
_SAME = 0.0005  # ratios that are the same to one decimal of a percent

_Side = TypeVar("_Side", bound=Hashable)

# From the ground up: work first. Each differs from its neighbours by its pattern as well.
STACK: Final = {
    "handling": "handling",
    "wrap_up": "wrap-up",
    "available": "available",
    "ready": "ready: working or not",
    "not_ready": "not ready",
    "rest": "signed in, not told apart",
    "unobserved": "unobserved",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its value from 0 to ``most``, and what it may be at least and at most where that is known.

    ``source`` is said after the label, and however long that is.
    """

    label: str
    value: float | None
    shown: str
    low: float | None = None
    high: float | None = None
    source: str = ""

    @property
    def whole(self) -> str:
        """The label with its source."""
        return f"{self.label} · {self.source}" if self.source else self.label


@dataclass(frozen=True, slots=True)
class Slot:
    """An interval with how many agents were in each state of ``STACK``, on average over the interval."""

    start: datetime
    agents: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Hour:
    """Occupancy of an hour of the local day, today and before; None: not known."""

    hour: int
    today: float | None
    before: float | None


@dataclass(frozen=True, slots=True)
class Strip:
    """A feed's day: what of it was not observed, as (from, to, status), and up to when anything is known."""

    label: str
    shown: str
    gaps: Sequence[tuple[datetime, datetime, str]]
    until: datetime | None


def bars(name: str, title: str, rows: Sequence[Bar], most: float, axis: Sequence[tuple[float, str]] = ()) -> str:
    """Horizontal bars, one below the other, each with its value in words beside it."""
    height = 16 + len(rows) * _BAR + 22
    span = _WIDTH - _LEFT - _RIGHT
    parts = [_opening(name, title, height, "; ".join(f"{row.whole}: {row.shown}" for row in rows))]
    for value, word in axis:
        x = _LEFT + value / most * span
        parts.append(f'<path d="M{x:.1f} 8V{height - 22}" stroke="var(--picture-line)"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle">{word}</text>')
    for number, row in enumerate(rows):
        y = 16 + number * _BAR
        parts.append(_label(row.label, y + 15, row.source))
        scaled = [None if not is_known(v) else _LEFT + (v or 0) / most * span for v in (row.value, row.low, row.high)]
        parts.append(_bar(scaled, y))
        parts.append(f'<text x="{_WIDTH - _RIGHT + 14}" y="{y + 15}">{escape(row.shown)}</text>')
    return "".join([*parts, "</svg>"])


def _bar(scaled: Sequence[float | None], y: int) -> str:
    value, low, high = scaled
    parts = []
    if value is not None:
        width = max(value - _LEFT, 0)
        parts.append(f'<rect x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="17" class="bar"/>')
    if low is not None and high is not None and high - low >= 1:
        parts.append(
            f'<path d="M{low:.1f} {y + 5}v11M{high:.1f} {y + 5}v11M{low:.1f} {y + 10.5}H{high:.1f}" class="mark" '
            'stroke-width="1.75" fill="none"/>'
        )
    return "".join(parts)


def stacked(name: str, title: str, slots: Sequence[Slot]) -> str:
    """Agents by state through the day, one column for each interval."""
    left, top, plot, width = 44, 40, 170, _WIDTH - 44 - 10
    height = top + plot + 26
    totals = [sum(slot.agents.values()) for slot in slots]
    most = _round_up(max(totals, default=0.0))
    said = f"{len(slots)} intervals; at most {max(totals, default=0.0):.1f} agents at once on average."
    present = [state for state in STACK if any(slot.agents.get(state) for slot in slots)]
    parts = [_opening(name, title, height, said), _patterns(name), *_legend(name, present)]
    for share in (0, 0.5, 1):
        y = top + plot * (1 - share)
        parts.append(f'<path d="M{left} {y:g}h{width}" stroke="var(--picture-line)"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:g}" text-anchor="end">{most * share:g}</text>')
    step = width / max(len(slots), 1)
    every = next((step for step in (1, 2, 3, 6) if len(_whole_hours(slots)) / step <= _MOST_LABELS), 12)
    for number, slot in enumerate(slots):
        x = left + number * step
        parts.append(_column(name, slot, x, step, top + plot, plot / most))
        if slot.start.minute == 0 and slot.start.hour % every == 0:
            parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{slot.start:%H:%M}</text>')
            parts.append(f'<path d="M{x:.1f} {top + plot}v5" stroke="var(--picture-text)"/>')
    return "".join([*parts, "</svg>"])


def _whole_hours(slots: Sequence[Slot]) -> set[str]:
    return {f"{slot.start:%d %H %z}" for slot in slots}


def _column(name: str, slot: Slot, x: float, step: float, ground: float, scale: float) -> str:
    y, parts, told = ground, [], []
    for state, word in STACK.items():
        agents = slot.agents.get(state, 0.0)
        if agents <= 0:
            continue
        height = agents * scale
        y -= height
        box = f'x="{x + 0.5:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{height:.1f}"'
        parts.append(f'<rect {box} fill="{_ink(name, state)}"/>')
        told.append(f"{word} {agents:.1f}")
    return f"<g><title>{slot.start:%H:%M}: {', '.join(told) or 'nobody'}</title>{''.join(parts)}</g>"


def hours(name: str, title: str, told: Sequence[Hour], before: str) -> str:
    """Occupancy by hour: bars today, a line across each for the day before which it is held."""
    left, top, plot, step = 60, 34, 150, 24
    said = "; ".join(f"{hour.hour}:00 {_word(hour.today)}, {before} {_word(hour.before)}" for hour in told)
    parts = [_opening(name, title, top + plot + 26, said, 650)]
    bar = '<rect x="60" y="6" width="20" height="14" class="bar"/><text x="86" y="18">today</text>'
    line = f'<path d="M150 13h24" {_MARK}/><text x="182" y="18">{escape(before)}</text>'
    parts += [bar, line]
    for part in (0, 0.5, 1):
        y = top + plot * (1 - part)
        parts.append(f'<path d="M{left} {y:g}h{step * 24:g}" stroke="var(--picture-line)"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:g}" text-anchor="end">{part * 100:g} %</text>')
    for hour in told:
        x = left + hour.hour * step
        if is_known(hour.today):
            height = (hour.today or 0) * plot
            box = f'x="{x + 3:.1f}" y="{top + plot - height:.1f}" width="{step - 6:.1f}" height="{height:.1f}"'
            parts.append(f'<rect {box} class="bar"/>')
        if is_known(hour.before):
            y = top + plot * (1 - (hour.before or 0))
            parts.append(f'<path d="M{x + 1:.1f} {y:.1f}h{step - 2:.1f}" {_MARK}/>')
        if hour.hour % 3 == 0:
            parts.append(f'<text x="{x:.1f}" y="{top + plot + 18}" text-anchor="middle">{hour.hour}:00</text>')
    return "".join([*parts, "</svg>"])


_MARK = 'class="mark" stroke-width="3"'


def _word(value: float | None) -> str:
    return "not known" if value is None or not is_known(value) else percent(value)


def strips(name: str, title: str, rows: Sequence[Strip], start: datetime, end: datetime) -> str:
    """What of the day was watched, feed by feed: a full bar is watched, hatched can still come, crossed is lost."""
    height = 40 + len(rows) * _BAR + 22
    span = _WIDTH - _LEFT - _RIGHT
    day = (end - start).total_seconds()

    def x(moment: datetime) -> float:
        return _LEFT + min(max((moment - start).total_seconds() / day, 0), 1) * span

    parts = [_opening(name, title, height, "; ".join(f"{row.label}: {row.shown}" for row in rows)), _patterns(name)]
    parts += _legend(name, ["available", "missing", "lost"])
    for number, row in enumerate(rows):
        y = 40 + number * _BAR
        parts.append(_label(row.label, y + 15))
        if row.until and row.until > start:
            parts.append(_box(_LEFT, x(row.until), y, "var(--state-available)"))
        for begin, finish, status in row.gaps:
            parts.append(_box(x(begin), x(finish), y, "var(--picture-ground)"))
            parts.append(_box(x(begin), x(finish), y, _ink(name, status)))
        parts.append(
            f'<rect x="{_LEFT}" y="{y + 3}" width="{span}" height="16" fill="none" stroke="var(--strong-line)"/>'
        )
        parts.append(f'<text x="{_WIDTH - _RIGHT + 14}" y="{y + 15}">{escape(row.shown)}</text>')
    for quarter in range(5):
        moment = start + (end - start) * quarter / 4
        word = "24:00" if moment == end else f"{moment:%H:%M}"
        parts.append(f'<text x="{x(moment):.1f}" y="{height - 6}" text-anchor="middle">{word}</text>')
    return "".join([*parts, "</svg>"])


def _box(left: float, right: float, y: int, fill: str) -> str:
    # A gap of a second is a hundredth of a pixel of a day; it must be seen all the same.
    return f'<rect x="{left:.1f}" y="{y + 3}" width="{max(right - left, 1.5):.1f}" height="16" fill="{fill}"/>'


def heat(
    title: str, counts: Mapping[tuple[_Side, _Side], int], senders: Mapping[_Side, str], receivers: Mapping[_Side, str]
) -> str:
    """A matrix of counts with their sums: a table, shaded by count; each figure is written in its cell.

    Senders and receivers come with what they are called, which need not be theirs alone.
    """
    most = max(counts.values(), default=1)
    heads = "".join(f'<th scope="col">{_bdi(called)}</th>' for called in receivers.values())
    lines = []
    for sender, called in senders.items():
        row = [counts.get((sender, receiver), 0) for receiver in receivers]
        cells = "".join(f'<td class="h{_shade(count, most)}">{count or "·"}</td>' for count in row)
        lines.append(f'<tr><th scope="row">{_bdi(called)}</th>{cells}<td class="sum">{sum(row):,}</td></tr>')
    sums = [sum(counts.get((sender, receiver), 0) for sender in senders) for receiver in receivers]
    foot = "".join(f'<td class="sum">{count:,}</td>' for count in sums)
    return (
        f'<table class="heat"><caption class="sr">{escape(title)}</caption>'
        f'<thead><tr><th scope="col">from \\ to</th>{heads}<th scope="col">all</th></tr></thead><tbody>'
        f'{"".join(lines)}<tr><th scope="row">all</th>{foot}<td class="sum">{sum(sums):,}</td></tr></tbody></table>'
    )


def _shade(count: int, most: int) -> int:
    return 0 if count == 0 else min(5, 1 + 5 * (count - 1) // most)


def _bdi(label: str) -> str:
    return f"<bdi>{clipped(label, _LONGEST_HEAD)}</bdi>"


def _opening(name: str, title: str, height: float, said: str, width: int = _WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}" '
        f'role="img" aria-labelledby="{name}-title {name}-said" font-family="system-ui,sans-serif" font-size="13" '
        f'fill="var(--picture-text)"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-said">{escape(said)}</desc>'
    )


def _label(label: str, y: float, source: str = "") -> str:
    whose = f" · {clipped(source, _LONGEST_SOURCE)}" if source else ""
    shown = clipped(label, _LONGEST_LABEL - min(len(source) + 3, _LONGEST_SOURCE + 3) * bool(source))
    return (
        f'<text x="{_LEFT - 10}" y="{y}" text-anchor="end" unicode-bidi="isolate">'
        f"<title>{clipped(label, 200)}{escape(source and f' · {source}')}</title>{shown}{whose}</text>"
    )


def _patterns(name: str) -> str:
    def pattern(kind: str, ground: str, marks: str) -> str:
        box = 'width="6" height="6" patternUnits="userSpaceOnUse"'
        return f'<pattern id="{name}-{kind}" {box}><rect width="6" height="6" fill="{ground}"/>{marks}</pattern>'

    lines, dots = "M-1 1L1 -1M0 6L6 0M5 7L7 5", '<circle cx="3" cy="3" r="1.1" fill="var(--picture-ground)"/>'
    white = f'<path d="{lines}" stroke="var(--picture-ground)" stroke-width=".9"/>'
    grey = f'<path d="{lines}" stroke="var(--state-unobserved)" stroke-width="1.2"/>'
    cross = '<path d="M0 0L6 6M0 6L6 0" stroke="var(--state-not-ready)" stroke-width="1.2"/>'
    return (
        "<defs>"
        + pattern("wrap_up", "var(--state-wrap-up)", white)
        + pattern("ready", "var(--state-available)", white)
        + pattern("not_ready", "var(--state-not-ready)", dots)
        + pattern("rest", "var(--state-rest)", dots + white)
        + pattern("unobserved", "var(--picture-ground)", grey)
        + pattern("missing", "var(--picture-ground)", grey)
        + pattern("lost", "var(--picture-ground)", cross)
        + "</defs>"
    )


def _ink(name: str, state: str) -> str:
    return f"var(--state-{state})" if state in {"handling", "available"} else f"url(#{name}-{state})"


_WORDS = {**STACK, "missing": "missing, may still come", "lost": "lost: the vendor has forgotten it"}


def _legend(name: str, states: Iterable[str]) -> list[str]:
    parts, x = [], 44
    for state in states:
        word = "observed" if state == "available" and name.startswith("strips") else _WORDS[state]
        box = f'x="{x}" y="8" width="22" height="13" stroke="var(--strong-line)" stroke-width=".5"'
        parts.append(f'<rect {box} fill="{_ink(name, state)}"/><text x="{x + 28}" y="19">{word}</text>')
        x += 28 + 8 * len(word) + 18
    return parts


def _round_up(most: float) -> float:
    """The least of 1, 2, 4, 10, 20, 40, 100 … that is not below: its half is a round figure, too."""
    scale = 1.0
    while True:
        for step in (1, 2, 4):
            if scale * step >= most:
                return scale * step
        scale *= 10


def share(value: float | None, low: float | None, high: float | None) -> str:
    """A ratio with its bounds in words."""
    if not is_known(value) or value is None:
        return f"{UNKNOWN} not known"
    if low is None or high is None or high - low < _SAME:
        return percent(value)
    return f"{percent(value)} ({low * 100:.1f} to {high * 100:.1f})"


def length(seconds: float | None) -> str:
    """A duration or that it is not known."""
    return f"{UNKNOWN} not known" if seconds is None or not is_known(seconds) else duration(seconds)
