"""A running ``shiftbook up``: its children, and what its pages answer. No expectations here."""

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orchestration.settings import Settings
from tests.pipeline.site import SHIFTBOOK

LAUNCH = """mutation {launchRun(executionParams: {selector: {repositoryLocationName: "shiftbook",
    repositoryName: "__repository__", jobName: "housekeeping"}, runConfigData: "{}"}) {
    __typename ... on LaunchRunSuccess {run {runId}}}}"""


TOY = MappingProxyType({"TOY_USER": "somebody", "TOY_PASSWORD": "anything"})


class Up:
    """A running ``shiftbook up``, by default on a toy's home, in a folder where it may write what it says."""

    def __init__(self, settings: Settings, variables: Mapping[str, str] = TOY) -> None:
        self.home = settings.home
        self.command = [str(SHIFTBOOK), "--home", str(self.home), "--sources", str(settings.sources_file)]
        self.words = [*self.command, "up"]
        self.environment = {**os.environ, **variables}
        self.said = self.home.parent / "said"
        with self.said.open("wb") as file:
            self.process = subprocess.Popen(
                [*self.words, "--port", "0"],
                stdout=file,
                stderr=file,
                env=self.environment,
                start_new_session=True,
            )

    @property
    def address(self) -> str | None:
        """Where the pages are, once it is said."""
        found = re.search(r"http://127\.0\.0\.1:\d+", self.said.read_text(encoding="utf-8"))
        return found[0] if found else None

    def ask(self, query: str) -> Any:
        """What Dagster's pages would show; nothing while they are not there."""
        request = urllib.request.Request(  # noqa: S310 -- our own address
            f"{self.address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- the same
                return json.load(answer)["data"]
        except (OSError, ValueError):
            return None

    def code(self) -> list[int]:
        """The process that holds Dagster's code."""
        return [pid for pid, words in self.children().items() if "dagster api grpc" in words]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Another command on the same home."""
        return subprocess.Popen(
            [*self.command, *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run_status(self, run: str) -> str | None:
        """How a run stands; None while the pages are not there."""
        found = self.ask(f'{{runOrError(runId: "{run}") {{... on Run {{status}}}}}}')
        return found["runOrError"]["status"] if found else None

    def launched(self, query: str = LAUNCH) -> str:
        """The id of a run, once one can be launched."""
        told: Any = None

        def launches() -> bool:
            nonlocal told
            told = self.ask(query)
            return "LaunchRunSuccess" in str(told)

        until(launches)
        return str(told["launchRun"]["run"]["runId"])

    def children(self) -> dict[int, str]:
        """Process ids and command lines of all that runs for this home."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                mine = f"SHIFTBOOK_HOME={self.home}".encode() in (path / "environ").read_bytes().split(b"\0")
                words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if mine and words:
                found[int(path.name)] = words
        return found

    def end(self) -> None:
        """Kill it, and wait until its children have noticed."""
        self.process.kill()
        self.process.wait()
        until(lambda: not self.children(), 30)


def until(holds: Callable[[], object], seconds: float = 300.0) -> float:
    """Wait for something; how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.1)
    return time.monotonic() - began
