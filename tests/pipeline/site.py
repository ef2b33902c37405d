"""A whole product on a temporary home beside a simulated vendor: what the pipeline tests steer and read.

No expectations here; what is right stands in the tests, and what really happened in ``truth.py``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import yaml

from assets.capture import CaptureResult, capture
from assets.cxengage import AGENT_STATES
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from assets.http import Options, Retry, Session
from orchestration.builder import Outcome
from orchestration.inputs import midnight
from orchestration.resources import Engine
from orchestration.settings import load_settings
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.cxengage_json import Dialect
from simulator.faults import Faults

FIRST = date(2026, 11, 2)  # a Monday
SOURCE = "cx"
STATE_MAP = "vendor,vendor_state,reason,state\ncxengage,not-ready,After Call Work,wrap_up\n"
# Rebuilt at another time, these say when: all other tables say the same whenever they are built.
TIMED = {"staging.stg_cxengage__agent_states": {"received_at"}}
SHIFTBOOK = Path(sys.executable).parent / "shiftbook"
Rows = list[tuple[Any, ...]]


def day(number: int) -> date:
    """The UTC day so many days after the first."""
    return FIRST + timedelta(days=number)


def after(number: int, minutes: float = 20) -> datetime:
    """An instant so many minutes after the end of a day."""
    return midnight(day(number + 1)) + timedelta(minutes=minutes)


@dataclass
class Site:
    """One home, one configuration, and the vendors behind it.

    Args:
        home: ``$SHIFTBOOK_HOME``.
        servers: Simulated vendors by the name of their source.
        ports: Addresses of sources that nobody serves.
    """

    home: Path
    servers: dict[str, CxEngageServer]
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def server(self) -> CxEngageServer:
        """The vendor of the first source."""
        return next(iter(self.servers.values()))

    @property
    def config(self) -> Path:
        """``sources.yaml``."""
        return self.home.parent / f"{self.home.name}.yaml"

    @property
    def environ(self) -> dict[str, str]:
        """The variables that the configuration names."""
        return {"CX_USER": self.server.username, "CX_PASS": self.server.password}

    def configure(self, **changes: Any) -> None:
        """Write the configuration as a user would; ``changes`` are keys of every source."""
        maps = self.config.with_suffix(".csv")
        maps.write_text(STATE_MAP, encoding="utf-8")
        addresses = {name: server.base_url for name, server in self.servers.items()}
        addresses |= {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        sources = [
            {
                "name": name,
                "vendor": "cxengage",
                "base_url": address,
                "tenant_id": self.server.tenant_id,
                "username": "${CX_USER}",
                "password": "${CX_PASS}",
                "since": str(server_day(self.servers)),
                **changes,
            }
            for name, address in addresses.items()
        ]
        self.config.write_text(yaml.safe_dump({"state_map": maps.name, "sources": sources}))

    @cached_property
    def engine(self) -> Engine:
        """The product on this home."""
        return Engine(load_settings(self.home, self.config, self.environ))

    def capture(
        self, now: datetime, days: Collection[date], source: str = SOURCE, page_limit: int = 2000
    ) -> CaptureResult:
        """Capture days when the vendor's clock stands at ``now``, with a client that does not wait between tries."""
        server = self.servers[source]
        server.clock.set(now)
        config = next(s for s in self.engine.settings.sources if s.name == source)
        assert isinstance(config, CxEngageConfig)
        self.engine.lake.request("cxengage", AGENT_STATES.name, source, midnight(max(FIRST, min(days))))
        options = Options(timeout_seconds=20, retry=Retry(tries=12, base=0.001))
        session = Session(source, server.base_url, basic=(server.username, server.password), options=options)
        return capture(
            CxEngageClient(config, session, page_limit),
            self.engine.lake,
            vendor="cxengage",
            source=source,
            feed=AGENT_STATES,
            days=sorted(days),
            suspect=self.engine.suspects(source, min(days)),
            since=midnight(FIRST),
        )

    def build(self, days: Sequence[date]) -> list[Outcome]:
        """Build all models of some days in order, then publish; no Dagster."""
        return build(self.engine, days)

    def fill(self, days: int, **more: Any) -> None:
        """Capture each of the first days after its end, then build them all."""
        for number in range(days):
            self.capture(after(number), {day(n) for n in range(number + 1)}, **more)
        self.build([day(n) for n in range(days)])

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The published warehouse as an analyst opens it."""
        with opened(self.home) as connection:
            yield connection

    def ask(self, sql: str, *parameters: Any) -> Rows:
        """One query on the warehouse."""
        with self.warehouse() as connection:
            return connection.execute(sql, list(parameters) or None).fetchall()

    def tables(self, *schemas: str) -> dict[str, Rows]:
        """The rows of every table of these schemas, in order, leaving out views of the present moment."""
        wanted = schemas or ("staging", "intermediate", "marts", "ops")
        with self.warehouse() as connection:
            return {
                model.table: rows_of(connection, model.table, {*TIMED.get(model.table, ())})
                for model in self.engine.models.values()
                if model.schema in wanted and model.kind != "view"
            }

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """The command line as a process of its own."""
        return subprocess.run(
            self.command(*words), env=self.env(**environ), capture_output=True, text=True, check=False
        )

    def start(self, *words: str, **environ: str) -> "subprocess.Popen[str]":
        """The same without waiting for its end."""
        return subprocess.Popen(
            self.command(*words),
            env=self.env(**environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def command(self, *words: str) -> list[str]:
        """The words of a command line on this home."""
        return [str(SHIFTBOOK), "--home", str(self.home), "--sources", str(self.config), *words]

    def env(self, **environ: str) -> dict[str, str]:
        """The environment of a command line."""
        return {**os.environ, **self.environ, **environ}


def build(engine: Engine, days: Sequence[date]) -> list[Outcome]:
    """Build all models of some days in order, then publish; no Dagster."""
    outcomes: list[Outcome] = []
    for model in engine.models.values():
        if model.kind in {"day", "segment"}:
            outcomes += engine.build(model.table, days)
        elif model.kind == "whole" and not any(parent in engine.models for parent in model.parents):
            outcomes.append(engine.builder.build(model, None))
    return outcomes + engine.warehouse.publish(days)


def server_day(servers: Mapping[str, CxEngageServer]) -> date:
    """The first day of the simulated centre."""
    return min((server.centre.first_day for server in servers.values()), default=FIRST)


@contextmanager
def held(home: Path, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse of this moment as another process holds it.

    DuckDB gives all connections of one process to one path the same database, the first one's; so this takes another
    path, of the same name because views name their catalogue.
    """
    folder.mkdir(parents=True)
    os.link(home / "warehouse.duckdb", folder / "warehouse.duckdb")
    with opened(folder) as connection:
        yield connection


@contextmanager
def opened(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A home's warehouse as an analyst opens it."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


@contextmanager
def site(
    folder: Path,
    centre: Centre,
    *,
    faults: Faults | None = None,
    dialect: Dialect | None = None,
    sources: Sequence[str] = (SOURCE,),
    dead: Sequence[str] = (),
) -> Iterator[Site]:
    """A site whose vendor's clock stands 20 minutes after the first day; ``dead`` sources have a closed port."""
    servers = {
        name: CxEngageServer(centre, SimClock(after(0)), faults=faults, dialect=dialect).start() for name in sources
    }
    try:
        made = Site(folder / "home", servers, dict.fromkeys(dead, 9))
        made.configure()
        yield made
    finally:
        for server in servers.values():
            server.close()


def rows_of(connection: duckdb.DuckDBPyConnection, table: str, without: Collection[str] = ()) -> Rows:
    """All rows of a table in order, without some columns."""
    exclude = f"exclude ({', '.join(sorted(without))})" if without else ""
    return connection.execute(f"select * {exclude} from {table} order by all").fetchall()


def copy(made: Site, folder: Path) -> Site:
    """A site of its own that goes on from a copy of another one's home, with the same vendors."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(made.home, folder / "home")
    other = Site(folder / "home", made.servers)
    other.configure()
    return other


def utc(moment: str) -> datetime:
    """An instant written in ISO, UTC unless it says otherwise."""
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)
