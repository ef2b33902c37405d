"""Runs contenders in processes of their own, in interleaved rounds, and reckons ratios of medians.

Knows nothing of what is measured. A contender is a function ``run(data, out)``; its optional ``prepare`` is not timed.
"""

import importlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of doing the work: ``run`` and ``prepare`` as ``module:function``, so that only its process imports it.

    ``work`` is how much of the task it does: a slow one may do a part, and its times are scaled up.
    ``answers`` is false for a floor, which does not come to the answer that all others must agree on.
    """

    name: str
    run: str
    prepare: str | None = None
    work: float = 1.0
    answers: bool = True


@dataclass(slots=True)
class Result:
    """Seconds of wall and CPU per round, and megabytes of memory at most."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)

    def median(self, what: str) -> float:
        """Median of ``wall``, ``cpu`` or ``rss``."""
        return float(statistics.median(getattr(self, what)))

    def least(self, what: str) -> float:
        """The best round's ``wall``, ``cpu`` or ``rss``."""
        return float(min(getattr(self, what)))


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio and what it should be. It is missed only when the best rounds miss it, too (performance.md, Bars).

    Attributes:
        name: Its name in the table of bars.
        claim: What is compared with what.
        ratio: Ratio of medians.
        best: Ratio of the best rounds.
        limit: What the ratio should be.
        at_least: The ratio should not be below, instead of above, the limit.
    """

    name: str
    claim: str
    ratio: float
    best: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the medians, or the best rounds, keep to the limit."""
        found = (self.ratio, self.best)
        return max(found) >= self.limit if self.at_least else min(found) <= self.limit


def against(name: str, claim: str, ours: Result, theirs: Result, limit: float, what: str = "wall") -> Bar:
    """Our time or memory over theirs, at most ``limit``."""
    return Bar(name, claim, ours.median(what) / theirs.median(what), ours.least(what) / theirs.least(what), limit)


def faster(name: str, claim: str, ours: Result, theirs: Result, limit: float) -> Bar:
    """How many times our rate is theirs, at least ``limit``."""
    ratio, best = theirs.median("wall") / ours.median("wall"), theirs.least("wall") / ours.least("wall")
    return Bar(name, claim, ratio, best, limit, at_least=True)


def race(
    contenders: Sequence[Contender],
    data: Path,
    rounds: int,
    facts: Callable[[str, Path], tuple[object, ...]] | None = None,
) -> dict[str, Result]:
    """Run all contenders, round after round, each in a fresh process and folder.

    Args:
        contenders: What to run.
        data: Handed to each.
        rounds: How often.
        facts: What a contender's output came to; all must agree.

    Raises:
        ValueError: Two contenders disagree: there is nothing to compare.
    """
    results = {contender.name: Result() for contender in contenders}
    for number in range(rounds):
        found: dict[tuple[object, ...], str] = {}
        for contender in contenders:
            out = data / "out"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            wall, cpu, rss = _spawn(contender, data, out)
            result = results[contender.name]
            result.wall.append(wall / contender.work)
            result.cpu.append(cpu / contender.work)
            result.rss.append(rss)
            if facts and number == 0 and contender.answers and contender.work == 1:
                found[facts(contender.name, out)] = contender.name
            shutil.rmtree(out)
        if len(found) > 1:
            raise ValueError(f"the contenders do not agree: {found}")
    return results


def show(title: str, results: dict[str, Result]) -> None:
    """Print a table of medians, each with its ratio to the first."""
    print(f"\n{title}")
    print(f"{'':44} {'wall s':>8} {'best':>8} {'CPU s':>8} {'MB':>6} {'x wall':>7} {'x CPU':>7}")
    first = next(iter(results.values()))
    for name, result in results.items():
        wall, cpu = result.median("wall"), result.median("cpu")
        print(
            f"{name:44} {wall:8.3f} {result.least('wall'):8.3f} {cpu:8.3f} {result.median('rss'):6.0f}"
            f" {wall / first.median('wall'):7.2f} {cpu / first.median('cpu'):7.2f}"
        )
    sys.stdout.flush()


def show_bars(bars: Sequence[Bar]) -> None:
    """Print each bar with its ratio, and whether it is met."""
    print(f"\n{'bar':4} {'what':78} {'ratio':>8} {'best':>8} {'should be':>10}")
    for bar in bars:
        sign = ">=" if bar.at_least else "<="
        verdict = "met" if bar.met else "missed"
        print(f"{bar.name:4} {bar.claim:78} {bar.ratio:8.2f} {bar.best:8.2f} {sign:>4}{bar.limit:6g} {verdict}")


def _spawn(contender: Contender, data: Path, out: Path) -> tuple[float, float, float]:
    names = [contender.run, contender.prepare or ""]
    command = [sys.executable, "-m", "benchmarks.measure", *names, str(data), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contender.name} failed: {done.stderr[-2000:]}")
    wall, cpu, rss = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu, rss


def _function(name: str) -> Callable[[Path, Path], object]:
    module, _, function = name.partition(":")
    found: Callable[[Path, Path], object] = getattr(importlib.import_module(module), function)
    return found


def _child(run: str, prepare: str, data: Path, out: Path) -> None:
    """Time one contender in this process: imports are not counted, what it starts up by itself is."""
    function = _function(run)
    if prepare:
        _function(prepare)(data, out)
    wall, cpu = time.perf_counter(), time.process_time()
    function(data, out)
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, _peak_megabytes()]))


def _peak_megabytes() -> float:
    # Not ru_maxrss, which in a child starts from its parent's.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
