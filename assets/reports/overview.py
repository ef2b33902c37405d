"""The overview: one page for a supervisor's wall, with how old it is said in a way that cannot be overlooked.

The browser reads it again every minute, from a disk too. What it shows is read in ``board.py``.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from assets.reports.board import STALE_AFTER, AgentNow, Board, DayPart, Period, SourceNow
from assets.reports.charts import Hour, hours, share
from assets.reports.page import UNKNOWN, document, duration, escape, is_known, isolated, percent

REFRESH_SECONDS = 60
_MOST_AGENTS = 300
_NOW_SECONDS = 10
# Who works first; what nobody knows last.
_STATES = {
    "handling": "Handling",
    "wrap_up": "Wrap-up",
    "available": "Available",
    "not_ready": "Not ready",
    "offline": "Offline",
    "unobserved": "Not known",
}
_READY = "ready, working or not"
_SIGNED_IN = ("handling", "wrap_up", "available", "not_ready")
# A state that a source cannot tell is not zero there.
_MUST_BE_TOLD = {"handling", "wrap_up", "available"}


def render(board: Board, path: Path) -> None:
    """Write the page. Agents of a source that is stale count, and stand, as not known everywhere on it."""
    stale = {source.source for source in board.sources if source.is_stale(board.made_at)}
    agents = [replace(agent, state="unobserved") if agent.source in stale else agent for agent in board.agents]
    board = replace(board, agents=agents)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        pieces = document(
            "Contact centre now",
            _body(board),
            styles=["page.css", "overview.css"],
            scripts=["page.js", "overview.js"],
            refresh_seconds=REFRESH_SECONDS,
        )
        file.writelines(pieces)


def ago(seconds: float) -> str:
    """An age in words, as ``overview.js`` says it."""
    if seconds < _NOW_SECONDS:
        return "just now"
    for below, unit, word in ((120, 1, "seconds"), (7200, 60, "minutes"), (172800, 3600, "hours")):
        if seconds < below:
            return f"{int(seconds // unit)} {word} ago"
    return f"{int(seconds // 86400)} days ago"


def _body(board: Board) -> Iterator[str]:
    yield _head(board)
    late = "yes" if any(source.is_stale(board.made_at) for source in board.sources) else "no"
    yield (
        f'<main data-late="{late}" data-stale-after="{STALE_AFTER.total_seconds():.0f}" '
        f'data-refresh="{REFRESH_SECONDS}">\n'
    )
    yield _banner(board)
    yield _tiles(board)
    yield _figures(board)
    yield from _teams(board)
    yield from _agents(board)
    yield "</main>\n"
    minutes = STALE_AFTER.total_seconds() / 60
    yield (
        f"<footer>Made {board.made_at:%Y-%m-%d %H:%M:%S} {escape(board.zone)}; a new page comes with each build and is "
        f"read every {REFRESH_SECONDS} seconds. {UNKNOWN} is not known, which is not 0: some sources do not tell "
        "handling from waiting, and are on neither side of the occupancy of all, or tell no after-contact work. The "
        "day is compared with the same weekday a week before, in whole quarters of an hour up to the same time. "
        f"Not known: nobody was looking, or the source was last seen more than {minutes:.0f} minutes ago.</footer>\n"
    )


def _head(board: Board) -> str:
    """The oldest of what the sources last told is the age of the whole."""
    seen = [source.observed_until for source in board.sources if source.observed_until]
    when = "nothing was seen yet"
    if seen:
        oldest = min(seen)
        when = f"as of <strong>{_clock(oldest, board)}</strong>, {_age(oldest, board)}"
    return f"<header><h1>Contact centre now</h1><p>{board.made_at:%A %-d %B %Y}</p><p>{when}</p></header>\n"


def _clock(moment: datetime, board: Board) -> str:
    return f'<time datetime="{moment.isoformat()}">{_local(moment, board)}</time>'


def _local(moment: datetime, board: Board) -> str:
    local = moment.astimezone(ZoneInfo(board.zone))
    day = "" if local.date() == board.made_at.date() else f"{local:%a %-d %b} "
    return f"{day}{local:%H:%M:%S}"


def _age(moment: datetime, board: Board, source: str = "") -> str:
    seconds = (board.made_at - moment).total_seconds()
    stale = "stale: " if source and seconds > STALE_AFTER.total_seconds() else ""
    name = f' data-source="{escape(source)}"' if source else ""
    return f'<span class="age" data-seen="{moment.timestamp():.0f}"{name}>{stale}{ago(seconds)}</span>'


def _banner(board: Board) -> str:
    stale = [source.source for source in board.sources if source.is_stale(board.made_at)]
    never = "".join(f'<i data-never="{escape(s.source)}"></i>' for s in board.sources if s.observed_until is None)
    return (
        f'<p id="stale" role="alert"{"" if stale else " hidden"}>Stale: nothing new from '
        f'<span id="stale-sources">{escape(", ".join(stale))}</span>'
        f"<small>What its agents do now is not known; what is shown of it was last seen then.</small>{never}</p>\n"
    )


def _tiles(board: Board) -> str:
    counts = Counter(agent.state for agent in board.agents)
    ready = _ready(board)
    notes = {"available": f"of {escape(', '.join(ready))}: {_READY}"} if ready else {}
    tiles = "".join(
        f'<li class="tile {state}" style="--ink: var(--state-{state.replace("_", "-")})"><h2>{word}</h2>'
        f"<strong>{counts[state]:,}</strong>{f'<small>{notes[state]}</small>' if state in notes else ''}</li>"
        for state, word in _STATES.items()
    )
    return f'<ul class="tiles" aria-label="Agents by state">{tiles}</ul>\n'


def _count(part: DayPart | None) -> str:
    return f"{part.transfers:,}" if part and part.transfers is not None else UNKNOWN


def _figures(board: Board) -> str:
    today, before = board.part("today"), board.part("last_week")
    weekday = f"{board.made_at - timedelta(days=7):%A %-d %B}"
    occupancy = share(today.occupancy, today.low, today.high).partition(" (") if today else ("", "", "")
    bounds = f"the evidence allows {occupancy[2].rstrip(')')} %" if occupancy[2] else ""
    figures = [
        _figure(
            "Occupancy today", _ratio(today.occupancy if today else None), bounds, _than_before(today, before, weekday)
        ),
        _figure("Coverage today", _ratio(today.coverage if today else None), "of the agents' time was observed", ""),
        _figure(
            "Transfers today",
            _count(today),
            f"{weekday}: {_count(before)}" if before else f"nothing is known of {weekday}",
            "",
        ),
        _hours(board, weekday),
    ]
    return f'<div class="figures">{"".join(figures)}</div>\n'


def _figure(title: str, value: str, *notes: str) -> str:
    lines = "".join(f"<p>{escape(note)}</p>" for note in notes if note)
    return f'<section class="figure"><h2>{title}</h2><strong>{value}</strong>{lines}</section>'


def _ratio(value: float | None) -> str:
    return percent(value) if value is not None and is_known(value) else UNKNOWN


def _than_before(today: DayPart | None, before: DayPart | None, weekday: str) -> str:
    if before is None or before.occupancy is None:
        return f"nothing is known of {weekday}"
    change = f", {_change(today, before)}" if today and today.occupancy is not None else ""
    return f"{weekday}: {percent(before.occupancy)}{change}"


def _change(today: DayPart | None, before: DayPart | None) -> str:
    """The difference in percentage points with its direction as a sign and an arrow."""
    if today is None or before is None or today.occupancy is None or before.occupancy is None:
        return UNKNOWN
    points = round((today.occupancy - before.occupancy) * 100, 1)
    arrow, sign = ("▲", "+") if points > 0 else ("▼", "\N{MINUS SIGN}") if points < 0 else ("=", "")
    return f"{arrow}\N{NO-BREAK SPACE}{sign}{abs(points):.1f} points"


def _hours(board: Board, weekday: str) -> str:
    told = [
        Hour(hour, *(part.occupancy if (part := board.part(period, hour=hour)) else None for period in _PERIODS))
        for hour in range(24)
    ]
    title = "Occupancy by hour"
    picture = hours("by-hour", title, told, weekday)
    return f'<section class="figure chart"><h2>{title}</h2><div class="picture">{picture}</div></section>'


_PERIODS: Sequence[Period] = ("today", "last_week")


def _teams(board: Board) -> Iterator[str]:
    figures = ["Occupancy", "last week", "Change", "Coverage", "Transfers", "last week", "Last seen"]
    yield '<section class="teams" aria-labelledby="teams"><h2 id="teams">By source and team</h2>\n'
    yield '<div class="wide" tabindex="0" role="group" aria-labelledby="teams"><table>'
    yield '<caption class="sr">Agents by state and the day so far, by source and team</caption>'
    yield _heads(["Source", "Team"], [*_STATES.values(), *figures])
    for source in board.sources:
        teams = sorted({agent.team for agent in board.agents if agent.source == source.source})
        of_day = {team for _, name, team, _ in board.day if name == source.source and team is not None}
        for team in sorted({*teams, *of_day}) or [UNKNOWN]:
            yield _team(board, source, team)
    yield "</tbody></table></div></section>\n"


def _heads(texts: Sequence[str], figures: Sequence[str]) -> str:
    cells = [f'<th scope="col"><button>{head}</button></th>' for head in texts]
    cells += [f'<th scope="col" class="n"><button>{head}</button></th>' for head in figures]
    return f"<thead><tr>{''.join(cells)}</tr></thead><tbody>\n"


def _team(board: Board, source: SourceNow, team: str) -> str:
    counts = Counter(a.state for a in board.agents if (a.source, a.team) == (source.source, team))
    today, before = (board.part(period, source.source, team) for period in _PERIODS)
    cells = [_cell(None if state in _MUST_BE_TOLD - source.told else counts[state], "{:,}") for state in _STATES]
    ratios = [part.occupancy if part else None for part in (today, before)]
    points = (ratios[0] - ratios[1]) * 100 if ratios[0] is not None and ratios[1] is not None else None
    cells += [*(_cell(ratio, "{}", _ratio(ratio)) for ratio in ratios), _cell(points, "{}", _change(today, before))]
    coverage = today.coverage if today else None
    cells += [_cell(coverage, "{}", _ratio(coverage))]
    cells += [_cell(part.transfers if part else None, "{:,}") for part in (today, before)]
    seen = source.observed_until
    age = (
        f'data-v="{seen.timestamp():.0f}" title="{_local(seen, board)}">{_age(seen, board, source.source)}'
        if seen
        else ">never"
    )
    fresh = "no" if source.is_stale(board.made_at) else "yes"
    return (
        f'<tr data-fresh="{fresh}"><td class="s">{isolated(source.source)}</td>'
        f'<th scope="row" class="s">{isolated(team)}</th>{"".join(cells)}<td class="n" {age}</td></tr>\n'
    )


def _cell(value: float | None, form: str, shown: str = "") -> str:
    if value is None or not is_known(value):
        return f'<td class="n u" title="not known, or the source does not tell it">{UNKNOWN}</td>'
    return f'<td class="n big" data-v="{value!r}">{shown or form.format(value)}</td>'


def _agents(board: Board) -> Iterator[str]:
    order = list(_STATES)
    signed_in = sorted(
        (agent for agent in board.agents if agent.state in _SIGNED_IN),
        key=lambda agent: (order.index(agent.state), -agent.seconds, agent.source, agent.agent_id),
    )
    yield '<section aria-labelledby="agents"><h2 id="agents">Agents signed in</h2>\n'
    yield f"<p>{_how_many(len(signed_in))} “For” counts up to when their source was last seen.</p>\n"
    yield '<div class="wide" tabindex="0" role="group" aria-labelledby="agents"><table>'
    yield '<caption class="sr">Agents signed in</caption>'
    yield _heads(["Agent", "Team", "Source", "State", "Vendor's word"], ["Since", "For"])
    yield from (_agent(board, agent) for agent in signed_in[:_MOST_AGENTS])
    yield "</tbody></table></div></section>\n"


def _how_many(many: int) -> str:
    if many > _MOST_AGENTS:
        return f"The first {_MOST_AGENTS:,} of {many:,} agents."
    return f"{many:,} {'agent' if many == 1 else 'agents'}." if many else "Nobody."


def _ready(board: Board) -> list[str]:
    """Sources of whose agents it is known that they are ready, and not whether they work."""
    return [source.source for source in board.sources if "handling" not in source.told]


def _word(agent: AgentNow) -> str:
    """What the vendor calls the state; a mere code says nothing to a supervisor and stands beside what it means."""
    word = agent.vendor_state or UNKNOWN
    return f"{_STATES[agent.state].lower()} (code {word})" if word.isdecimal() else word


def _agent(board: Board, agent: AgentNow) -> str:
    name, word = isolated(agent.agent_name or agent.agent_id), isolated(_word(agent))
    state = (
        _READY.capitalize() if agent.state == "available" and agent.source in _ready(board) else _STATES[agent.state]
    )
    return (
        f'<tr><th scope="row" class="s">{name}</th><td class="s">{isolated(agent.team)}</td>'
        f'<td class="s">{isolated(agent.source)}</td><td class="s">{state}</td><td class="s">{word}</td>'
        f'<td class="n" data-v="{agent.since.timestamp():.3f}">{_clock(agent.since, board)}</td>'
        f'<td class="n" data-v="{agent.seconds!r}">{duration(agent.seconds)}</td></tr>\n'
    )
