"""The picture of who did what when: agents by time of day, as one SVG without script, style sheet or font of its own.

Only drawing. Which agents and which day belongs to the callers; what the states mean stands in docs/metrics.md.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby, pairwise
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

import pytz

from assets.reports.model import Stretch
from assets.reports.safe import shortened, visible


class Look(NamedTuple):
    """How a state is drawn: the more an agent works, the thicker, so that nothing is said by colour alone."""

    word: str
    colour: str
    thickness: int


LOOKS: Final = {
    # Blue is work. Blue, green and vermilion are told apart with any colour vision (Okabe and Ito, 2008), and each has
    # a contrast of 3:1 or more with white (WCAG 2.2, 1.4.11). A page may give its own by the variables.
    "handling": Look("handling", "var(--state-handling,#0b4f8a)", 14),
    "wrap_up": Look("wrap-up", "var(--state-wrap-up,#4a8fd0)", 9),
    "available": Look("available", "var(--state-available,#0a8f69)", 5),
    "not_ready": Look("not ready", "var(--state-not-ready,#d55e00)", 9),
    "offline": Look("offline", "var(--state-offline,#8a8a8a)", 1),
    "unobserved": Look("unobserved: nobody knows", "", 14),
}
_UNKNOWN = Look("a state that has no picture", "var(--picture-text,#1a1a1a)", 3)

_LEFT, _TOP, _PLOT, _LANE, _RIGHT = 196, 58, 900, 18, 24  # as wide as Dagster's dialogue leaves room for
_UNIT = 0.5  # px; whole numbers of it keep the text short, and no screen shows less
_LONGEST_NAME = 26
_LONGEST_HEADING = 110
_TICKS = (1, 2, 3, 4, 6, 12, 24)  # hours
_QUARTER = timedelta(minutes=15)


def timeline_svg(
    stretches: Iterable[Stretch],
    start: datetime,
    end: datetime,
    zone: str = "UTC",
    *,
    title: str = "What each agent did",
    most_agents: int = 60,
    tips: bool = False,
    name: str = "timeline",
) -> str:
    """Draw agents as rows over time, coloured by state; what nobody observed is hatched, what lies ahead is blank.

    Args:
        stretches: What they did, in any order of time; rows come in the order in which agents first appear.
        start: Left edge, aware of its zone.
        end: Right edge, after the start.
        zone: IANA zone of the hours below the picture.
        title: What the picture is called, for those who cannot see it too.
        most_agents: Rows at most; when there are more agents, the picture says how many it leaves out.
        tips: Whether each stretch tells its times to a pointer; ten times the size.
        name: Prefix of the ids within, unique on its page.

    Returns:
        An ``<svg>`` element, 1,120 px wide, to stand in a page or alone in a file. The same stretches give the same
        text. Without stretches it says that there are none.

    Raises:
        ValueError: The end is not after the start, or the zone is unknown.
    """
    if end <= start:
        raise ValueError(f"a picture from {start} to {end} has no width: its end must come after its start")
    if zone not in pytz.all_timezones_set:
        raise ValueError(f"'{zone}' is no IANA zone; write one such as 'Europe/Berlin' or 'UTC'")
    by_agent: dict[tuple[str, str], list[Stretch]] = {}
    for stretch in stretches:
        by_agent.setdefault((stretch.source, stretch.agent_id), []).append(stretch)
    drawn = list(by_agent.values())[:most_agents]
    left_out = len(by_agent) - len(drawn)
    plot = _Plot(start, end, pytz.timezone(zone))
    rows = _rows(drawn)
    lanes = [plot.spans(stretches) for _, stretches in rows]
    return "".join(
        [
            _opening(name, title, _said(plot, list(by_agent.values()), left_out), len(rows)),
            _hatching(name),
            f'<text x="{_LEFT}" y="18" font-size="15" font-weight="600">{_text(title)}</text>',
            *_legend(name),
            *_hours(plot, len(rows)),
            *(_name(row, called, of, plot) if of else _heading(row, called) for row, (called, of) in enumerate(rows)),
            *_states(name, lanes, plot, tips=tips),
            _foot(plot, len(rows), left_out),
            "</svg>",
        ]
    )


def _rows(agents: Sequence[Sequence[Stretch]]) -> list[tuple[str, Sequence[Stretch]]]:
    """What stands in each row and what is drawn in it: a heading before each team and source, then its agents."""
    rows: list[tuple[str, Sequence[Stretch]]] = []
    named = Counter((_group(of), _called(of[0])) for of in agents)
    for group, members in groupby(agents, key=_group):
        rows.append((group, ()))
        for of in members:
            called, agent_id = _called(of[0]), of[0].agent_id
            alike = named[group, called] > 1 and agent_id != called
            # Who bears one name with another is told by the id.
            rows.append((f"{shortened(called, _LONGEST_NAME // 2)} · {agent_id}" if alike else called, of))
    return rows


def _group(stretches: Sequence[Stretch]) -> str:
    return " · ".join(filter(None, [stretches[0].team, stretches[0].source]))


class _Span(NamedTuple):
    """A stretch in units from the left edge."""

    first: int
    last: int
    stretch: Stretch


class _Plot(NamedTuple):
    """The time that the picture shows."""

    start: datetime
    end: datetime
    zone: tzinfo

    @property
    def unit_seconds(self) -> float:
        """The shortest time that the picture shows."""
        return (self.end - self.start).total_seconds() / (_PLOT / _UNIT)

    def units(self, moment: datetime) -> int:
        """The place of a moment, within the edges."""
        within = min(max(moment, self.start), self.end)
        return round((within - self.start).total_seconds() / self.unit_seconds)

    def spans(self, stretches: Sequence[Stretch]) -> list[_Span]:
        """What is long enough to be seen, in order of time."""
        placed = (_Span(self.units(s.started_at), self.units(s.ended_at), s) for s in sorted(stretches, key=_order))
        return [span for span in placed if span.last > span.first]

    def clock(self, moment: datetime, form: str = "%H:%M:%S") -> str:
        """A time of day in the picture's zone."""
        return moment.astimezone(self.zone).strftime(form)


def _order(stretch: Stretch) -> tuple[datetime, datetime, str]:
    return stretch.started_at, stretch.ended_at, stretch.state


def _opening(name: str, title: str, said: str, rows: int) -> str:
    width, height = _LEFT + _PLOT + _RIGHT, _TOP + max(rows, 1) * _LANE + 44
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="{name}-title {name}-said" font-family="system-ui,sans-serif" font-size="12" '
        f'fill="var(--picture-text,#1a1a1a)"><title id="{name}-title">{_text(title)}</title>'
        f'<desc id="{name}-said">{_text(said)}</desc>'
        f'<rect width="{width}" height="{height}" fill="var(--picture-ground,#ffffff)"/>'
    )


def _said(plot: _Plot, agents: Sequence[Sequence[Stretch]], left_out: int) -> str:
    """The picture in words: who worked how long."""
    total = _totals(plot, [stretch for stretches in agents for stretch in stretches])
    return (
        f"{len(agents)} {'agent' if len(agents) == 1 else 'agents'} from {plot.clock(plot.start, '%Y-%m-%d %H:%M')} to "
        f"{plot.clock(plot.end, '%Y-%m-%d %H:%M %Z')}. All together: {total or 'nothing is known of them'}."
        + (f" {left_out} of them are not drawn." if left_out else "")
    )


def _hatching(name: str) -> str:
    # The lanes' coordinates are half as wide as they are high.
    return (
        f'<defs><pattern id="{name}-unobserved" width="12" height="6" patternUnits="userSpaceOnUse">'
        '<path d="M-3 4.5L3 7.5M0 0L12 6M9 -1.5L15 1.5" stroke="var(--state-unobserved,#767676)" stroke-width="1.1" '
        'vector-effect="non-scaling-stroke"/></pattern></defs>'
    )


def _ink(name: str, state: str) -> str:
    look = LOOKS.get(state, _UNKNOWN)
    colour = look.colour or f"url(#{name}-unobserved)"
    return f'stroke="{colour}" stroke-width="{look.thickness}"'


def _legend(name: str) -> list[str]:
    parts, x = [], _LEFT
    for state, look in LOOKS.items():
        parts.append(
            f'<g transform="translate({x} 36) scale({_UNIT} 1)"><path d="M0 0h48" {_ink(name, state)}/></g>'
            f'<text x="{x + 30}" y="40">{look.word}</text>'
        )
        x += 30 + 7 * len(look.word) + 22
    return parts


def _hours(plot: _Plot, rows: int) -> list[str]:
    """Lines at whole hours of the picture's zone, also where its clocks are a half hour off or change that day."""
    whole = math.ceil((plot.end - plot.start).total_seconds() / 3600)
    step = next((step for step in _TICKS if whole / step <= 24), 24)  # noqa: PLR2004 - more labels would touch
    bottom = _TOP + max(rows, 1) * _LANE
    moment = plot.start + (_EPOCH - plot.start) % _QUARTER
    parts = []
    while moment <= plot.end:
        local = moment.astimezone(plot.zone)
        if local.minute == 0 and local.hour % step == 0:
            x = _LEFT + plot.units(moment) * _UNIT
            parts.append(
                f'<path d="M{x:g} {_TOP - 4}V{bottom + 4}" stroke="var(--picture-line,#d0d0d0)"/>'
                f'<text x="{x:g}" y="{bottom + 18}" font-size="11" text-anchor="middle">{local:%H:%M}</text>'
            )
        moment += _QUARTER
    return parts


_EPOCH = datetime(1970, 1, 1, tzinfo=pytz.UTC)


def _heading(row: int, group: str) -> str:
    y = _TOP + row * _LANE + 13
    shown = _cut(group, _LONGEST_HEADING)
    return f'<text x="8" y="{y}" font-weight="600" unicode-bidi="isolate">{shown}</text>'


def _name(row: int, called: str, stretches: Sequence[Stretch], plot: _Plot) -> str:
    y = _TOP + row * _LANE
    whose = ", ".join(part for part in (called, stretches[0].team, stretches[0].source) if part)
    shown = _cut(called, _LONGEST_NAME)
    return (
        f"<g><title>{_text(whose)}: {_totals(plot, stretches)}</title>"
        f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end" unicode-bidi="isolate">{shown}</text></g>'
        f'<path d="M{_LEFT} {y + _LANE - 0.5}h{_PLOT}" stroke="var(--picture-line,#d0d0d0)" stroke-width=".5"/>'
    )


def _called(stretch: Stretch) -> str:
    return stretch.agent_name or stretch.agent_id


def _totals(plot: _Plot, stretches: Sequence[Stretch]) -> str:
    seconds: dict[str, float] = {}
    for s in stretches:
        within = min(s.ended_at, plot.end) - max(s.started_at, plot.start)
        seconds[s.state] = seconds.get(s.state, 0.0) + max(within.total_seconds(), 0.0)
    known = [state for state in LOOKS if seconds.get(state)] + sorted(state for state in seconds if state not in LOOKS)
    return ", ".join(f"{LOOKS.get(state, _UNKNOWN).word.split(':')[0]} {_length(seconds[state])}" for state in known)


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _states(name: str, lanes: Sequence[list[_Span]], plot: _Plot, *, tips: bool) -> list[str]:
    """All stretches, one group for each state: the ink is said once."""
    present = {span.stretch.state for spans in lanes for span in spans}
    parts = [f'<g transform="translate({_LEFT} {_TOP}) scale({_UNIT} 1)" fill="none">']
    for state in [*(state for state in LOOKS if state in present), *sorted(present - set(LOOKS))]:
        parts.append(f"<g {_ink(name, state)}><title>{_text(LOOKS.get(state, _UNKNOWN).word)}</title>")
        of_state = [(row, [s for s in spans if s.stretch.state == state]) for row, spans in enumerate(lanes)]
        if tips:
            parts += [_tipped(row, span, plot) for row, spans in of_state for span in spans]
        else:
            parts.append(f'<path d="{"".join(_strokes(row, spans) for row, spans in of_state if spans)}"/>')
        parts.append("</g>")
    return [*parts, "</g>"]


def _strokes(row: int, spans: Sequence[_Span]) -> str:
    """One row's stretches of one state as lines, each move told from the end of the one before."""
    whole = [spans[0]]
    for span in spans[1:]:
        if span.first <= whole[-1].last:
            whole[-1] = whole[-1]._replace(last=max(whole[-1].last, span.last))
        else:
            whole.append(span)
    first = f"M{whole[0].first} {_middle(row)}h{whole[0].last - whole[0].first}"
    return first + "".join(
        f"m{after.first - before.last} 0h{after.last - after.first}" for before, after in pairwise(whole)
    )


def _tipped(row: int, span: _Span, plot: _Plot) -> str:
    s = span.stretch
    seconds = (s.ended_at - s.started_at).total_seconds()
    word = LOOKS.get(s.state, _UNKNOWN).word.split(":")[0]
    said = f"{_called(s)}: {word} {plot.clock(s.started_at)} to {plot.clock(s.ended_at)} ({_length(seconds)})"
    return f'<path d="M{span.first} {_middle(row)}h{span.last - span.first}"><title>{_text(said)}</title></path>'


def _middle(row: int) -> str:
    return f"{row * _LANE + (_LANE - 1) / 2:g}"


def _foot(plot: _Plot, rows: int, left_out: int) -> str:
    offsets = list(dict.fromkeys(plot.clock(moment, "%z") for moment in (plot.start, plot.end)))
    zone = f"{plot.zone} ({', later '.join(f'{o[:3]}:{o[3:]}' for o in offsets)})" if str(plot.zone) != "UTC" else "UTC"
    day = plot.clock(plot.start, "%A %d %B %Y")
    notes = [f"{day}, hours in {zone}. What is shorter than {math.ceil(plot.unit_seconds)} s is not seen."]
    if left_out:
        notes.append(f"{left_out:,} more agents are not drawn.")
    if not rows:
        notes.append("No agent did anything that is known.")
    y = _TOP + max(rows, 1) * _LANE + 36
    return f'<text x="{_LEFT}" y="{y}" font-size="11">{_text(" ".join(notes))}</text>'


def _text(text: str) -> str:
    """Text as XML can hold it: names may contain anything, marks that turn the writing round among it."""
    return escape(visible(text))


def _cut(text: str, most: int) -> str:
    return escape(shortened(visible(text), most))
