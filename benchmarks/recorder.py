"""The recorder under load: 2,000 agents polled every five seconds and 500 updates a second of a stream, on one core.

The real recorder with the real clients, in a process of its own on one core, over real sockets; whom it asks stands in
``recorder_vendors.py``. What it kept is counted in the lake, by the numbers that the stream's updates carry.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import duckdb

from benchmarks.measure import Bar
from orchestration.pace import Pace
from orchestration.recorder import record
from orchestration.settings import load_settings
from orchestration.spool import MAGIC, Began, Said, SpoolFile, frame, read

AGENTS, POLL_SECONDS = 2_000, 5.0
UPDATES = 500
_FEEDS = ("agent_status", "state")
_SOURCES = """\
sources:
  - name: gateway
    vendor: huawei
    base_url: http://127.0.0.1:{port}
    guid_file: {guids}
    poll_seconds: {poll_seconds}
  - name: appliance
    vendor: beyondtrust
    base_url: http://127.0.0.1:{port}
    client_id: "${{BENCHMARK_ID}}"
    client_secret: "${{BENCHMARK_SECRET}}"
    feeds: [state]
"""
_FOUND = """
with polls as (
    select request, received_at - requested_at as took,
        requested_at - lag(requested_at) over (partition by request order by requested_at) as apart
    from read_parquet('{lake}/raw/huawei/agent_status/**/*.parquet')
),
updates as (
    select regexp_extract(decode(payload), '"number": ([0-9]+)', 1)::bigint as number,
        epoch(received_at) - regexp_extract(decode(payload), '"told": ([0-9.]+)', 1)::double as took
    from read_parquet('{lake}/raw/beyondtrust/state/**/*.parquet')
    where contains(decode(payload), '"number"')
)
select
    (select count(*) from polls) as polls,
    (select epoch(max(apart)) from polls) as poll_apart,
    (select avg((epoch(apart) < 1.1 * {poll_seconds})::int) from polls where apart is not null) as polls_on_time,
    (select epoch(max(took)) from polls) as poll_took,
    (select count(distinct number) from updates) as updates,
    (select count(*) from updates) as copies,
    (select max(took) from updates) as update_took,
    (select quantile_cont(took, 0.99) from updates) as update_took_p99
"""


@dataclass(slots=True)
class Written:
    """How long the oldest message of each write had waited when the disk had it, in seconds."""

    waits: list[float] = field(default_factory=list)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at each write of this process."""
        append = SpoolFile.append
        head = MAGIC + frame(Began("", "", "", datetime.now(UTC), watching=False))

        def timed(file: SpoolFile, data: bytes) -> None:
            append(file, data)
            done = datetime.now(UTC)
            said = [event.received_at for event in read(head + data).events if isinstance(event, Said)]
            if said:
                self.waits.append((done - min(said)).total_seconds())

        with patch.object(SpoolFile, "append", timed):
            yield


def recorder(home: Path, seal: float) -> None:
    """Record until told to stop; print how long messages waited for the disk."""
    written = Written()
    with written.watched():
        asyncio.run(record(load_settings(home, home / "sources.yaml"), pace=Pace(seal=seal)))
    waits = sorted(written.waits)
    found = {"written": waits[-1], "written_p99": waits[len(waits) * 99 // 100]}
    print(json.dumps(found), flush=True)


def load(
    home: Path, seconds: float, agents: int = AGENTS, updates: int = UPDATES, seal: float = 300.0
) -> dict[str, float]:
    """Record for so long; then first the vendors fall silent, and then the recorder is told to stop.

    Returns:
        Seconds that things took or waited, the recorder's share of a core, the share of polls that were on time, counts
        of messages as told and as kept, and memory in MB: the most of each third.
    """
    guids, poll_seconds, warm_up = home / "guids.json", min(POLL_SECONDS, seconds / 4), min(3.0, seconds / 2)
    guids.write_text(json.dumps({str(101 + number): "guid" for number in range(agents)}))
    with _started("benchmarks.recorder_vendors", str(updates), str(warm_up + seconds)) as vendors:
        port = int(_line(vendors))
        text = _SOURCES.format(port=port, guids=guids, poll_seconds=poll_seconds)
        (home / "sources.yaml").write_text(text)
        with _started("benchmarks.recorder", str(home), str(seal)) as process:
            while process.poll() is None and len(list(home.glob("spool/**/*.spool"))) < len(_FEEDS):
                time.sleep(0.05)
            time.sleep(warm_up)
            seen = _watched(process.pid, seconds)
            guids.write_text("{}")
            time.sleep(2 * poll_seconds + warm_up)
            process.terminate()
            kept = json.loads(_line(process))
        told = json.loads(vendors.communicate()[0])
    with duckdb.connect() as db:
        query = db.execute(_FOUND.format(lake=home / "lake", poll_seconds=poll_seconds))
        found = dict(zip([column[0] for column in query.description or ()], query.fetchone() or (), strict=True))
    found |= {f"{name}_told": value for name, value in told.items()}
    return {**found, **kept, **seen}


@contextmanager
def _started(module: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    environ = {**os.environ, "BENCHMARK_ID": "benchmark", "BENCHMARK_SECRET": "benchmark"}
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: "subprocess.Popen[str]") -> str:
    return process.stdout.readline() if process.stdout else ""


def _watched(pid: int, seconds: float) -> dict[str, float]:
    """Share of a core that a process uses, and its memory in MB."""
    began, cpu, sizes = time.monotonic(), _cpu(pid), [_megabytes(pid)]
    while time.monotonic() - began < seconds:
        time.sleep(0.25)
        sizes.append(_megabytes(pid))
    share = (_cpu(pid) - cpu) / (time.monotonic() - began)
    third = len(sizes) // 3
    most = {"early": max(sizes[:third]), "middle": max(sizes[third:-third]), "late": max(sizes[-third:])}
    return {"share": share, **most}


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(seconds: float) -> list[Bar]:
    """Measure and print; the bars R1 to R5."""
    with tempfile.TemporaryDirectory() as folder:
        found = load(Path(folder), seconds)
    print(f"\nRecorder: {AGENTS} agents every {POLL_SECONDS:.0f} s and {UPDATES} updates a second for {seconds:.0f} s")
    for name, value in found.items():
        print(f"{name:16} {value:10.3f}")
    lost = abs(found["polls_told"] - found["polls"]) + abs(found["updates_told"] - found["updates"])
    figures = {
        "R1": ("share of one core", found["share"], 0.5),
        "R2": ("memory in the last third / in the one before", found["late"] / found["middle"], 1.1),
        "R3": ("slowest message from the vendor to the recorder, in seconds", found["update_took"], 1.0),
        "R4": ("slowest message from the recorder to the disk, in seconds", found["written"], 1.0),
        "R5": (
            "messages told that are not in the lake, or in it twice",
            lost + found["copies"] - found["updates"],
            0.0,
        ),
    }
    return [Bar(name, claim, value, value, limit) for name, (claim, value, limit) in figures.items()]


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    recorder(Path(sys.argv[1]), float(sys.argv[2]))
