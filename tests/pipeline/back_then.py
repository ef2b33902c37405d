"""Shiftbook's command line with its clock set back: what somebody ran so many hours ago. No expectations here.

python -m tests.pipeline.back_then 60 --home folder record --for 3
"""

import sys
from datetime import UTC, datetime, timedelta

import time_machine

from orchestration.cli import main


def run(hours: float, words: list[str]) -> None:
    """Run a command as it ran then; it exits as the command does."""
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=hours)):
        main(words)


if __name__ == "__main__":
    run(float(sys.argv[1]), sys.argv[2:])
