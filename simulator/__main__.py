"""`python -m simulator`: the simulated vendors without the product.

What belongs here: the command line's words.  What does not: anything they start.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

from simulator.server import serve


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    words = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Serve a simulated contact centre on 127.0.0.1 until interrupted.",
    )
    words.add_argument("--port", type=int, default=0, help="port, 0 for a free one")
    words.add_argument("--seed", type=int, default=1, help="what chance starts from")
    words.add_argument("--agents", type=int, default=25, help="people on the payroll")
    words.add_argument("--days", type=int, default=4, help="days worked by now")
    words.add_argument("--first-day", type=date.fromisoformat, help="first day, YYYY-MM-DD")
    words.add_argument("--now", type=_moment, help="simulated time, ISO 8601; default real time")
    words.add_argument("--fixed", action="store_true", help="the clock stands still")
    words.add_argument("--speed", type=float, default=1.0, help="simulated seconds per second")
    words.add_argument("--files", type=Path, help="folder that gets Huawei's exported files")
    return words


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def main() -> None:
    """Serve as the command line says."""
    given = parser().parse_args()
    serve(
        port=given.port,
        seed=given.seed,
        agents=given.agents,
        days=given.days,
        first_day=given.first_day,
        now=given.now,
        running=not given.fixed,
        speed=given.speed,
        files=given.files,
    )


if __name__ == "__main__":
    main()
