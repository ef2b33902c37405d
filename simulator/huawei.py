"""Huawei AICC over a simulated centre, on a loopback server: CC-Gateway, CC-CMS and CC-FS.

What belongs here: who answers which address, and the server a test or the demo starts,
with what a site keeps in files: GUIDs and exports.  What does not: any answer itself
(`huawei_gateway.py`, `huawei_cms.py`, `huawei_files.py`), and the exports
(`huawei_exports.py`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, Self

import msgspec

from simulator.centre import Centre, employed
from simulator.clock import SimClock
from simulator.facts import Agent, day_start
from simulator.faults import Faults
from simulator.huawei_cms import PREFIX as CMS
from simulator.huawei_cms import Cms, HuaweiAccount
from simulator.huawei_exports import Exports
from simulator.huawei_files import PREFIX as FILES
from simulator.huawei_files import Files
from simulator.huawei_gateway import PREFIX as GATEWAY
from simulator.huawei_gateway import Gateway, work_number
from simulator.huawei_history import Reading, call_ids
from simulator.huawei_states import REASON_CAUSES, HuaweiDialect
from simulator.serving import VendorServer
from simulator.wire import Reply, Request, opaque

_KEEP_SECONDS: Final = 0.5


class HuaweiApi:
    """Sends each request to the part of AICC whose address it has."""

    def __init__(
        self,
        centre: Centre,
        clock: SimClock,
        account: HuaweiAccount,
        people: Mapping[int, Agent],
        *,
        faults: Faults,
        dialect: HuaweiDialect,
    ) -> None:
        """Serve these people, given by work number."""
        self._centre = centre
        self._people = people
        self.call_ids = call_ids(centre)
        self.passwords = {number: _password(centre.seed, number) for number in people}
        self._reading = Reading.of(centre, people, self.call_ids, dialect)
        self.gateway = Gateway(centre, clock, people, self.passwords, self._reading, faults)
        self._cms = Cms(clock, account, people, self._reading, faults)
        self._files = Files(clock, account, self._reading)

    @property
    def reading(self) -> Reading:
        """Return the reading of the vendor's documents that is served."""
        return self._reading

    @property
    def dialect(self) -> HuaweiDialect:
        """Return the dialect served."""
        return self._reading.dialect

    def set_dialect(self, dialect: HuaweiDialect) -> None:
        """Serve another reading of the vendor's documents; seats stay signed in."""
        self._reading = Reading.of(self._centre, self._people, self.call_ids, dialect)
        self.gateway.set_reading(self._reading)
        self._cms.reading = self._files.reading = self._reading

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults."""
        self.gateway.set_faults(faults)
        self._cms.set_faults(faults)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith(GATEWAY):
            return self.gateway.answer(request)
        if request.path.startswith(CMS):
            return self._cms.answer(request)
        if request.path.startswith(FILES):
            return self._files.answer(request)
        return opaque(HTTPStatus.NOT_FOUND)


class _Dismissal(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to sign out as an inspector would, by work number."""

    agent: str


class HuaweiServer(VendorServer[HuaweiDialect]):
    """A running AICC: start it, or use it as a context manager.

    `base_url` is that of CC-Gateway, CC-CMS and CC-FS alike.  `agent_ids` gives the work
    number of each of the centre's agents that AICC serves, `passwords` each work number's
    password, `reason_causes` the cause of each reason by its name, `call_ids` the call id
    of each interaction.  Where `guid_file` is given, the server keeps there what a site's
    desktops would: `{"101": "<guid>", ...}` of all who are signed in.  Where `files` is
    given, that folder gets CC-FS's exports of operation records as a site would fetch them.
    """

    def __init__(
        self,
        centre: Centre,
        clock: SimClock | None = None,
        *,
        faults: Faults | None = None,
        dialect: HuaweiDialect | None = None,
        agents: Collection[str] | None = None,
        guid_file: Path | None = None,
        files: Path | None = None,
        port: int = 0,
    ) -> None:
        """Bind to 127.0.0.1; `port` 0 takes a free one.  The clock defaults to real time.

        Raises:
            ValueError: `agents` holds an id that is not on the centre's payroll.
        """
        people = {work_number(agent): agent for agent in employed(centre, agents)}
        clock = clock or SimClock(running=True)
        faults = faults or Faults()
        self.account = HuaweiAccount.of(centre.seed)
        self.agent_ids: Mapping[str, str] = {agent.agent_id: str(number) for number, agent in people.items()}
        self.reason_causes: Mapping[str, int] = REASON_CAUSES
        self.guid_file = guid_file
        self.files = files
        self.api = HuaweiApi(centre, clock, self.account, people, faults=faults, dialect=dialect or HuaweiDialect())
        self.call_ids: Mapping[str, str] = self.api.call_ids
        self._keeper: threading.Thread | None = None
        self._exports: Exports | None = None
        further = {
            ("GET", "guids"): lambda _: self.guids(),
            ("POST", "dismiss"): lambda body: self.dismiss(msgspec.json.decode(body, type=_Dismissal).agent),
        }
        super().__init__(centre, clock, self.api, faults, port=port, further=further)

    @property
    def passwords(self) -> Mapping[str, str]:
        """Return the sign-in password of each work number."""
        return {str(number): password for number, password in self.api.passwords.items()}

    def guids(self) -> dict[str, str]:
        """Return the GUIDs that desktops hold now, by work number."""
        return self.api.gateway.guids()

    def dismiss(self, agent: str) -> dict[str, str]:
        """Sign a seat of a client's out, by work number, as an inspector would.

        Raises:
            ValueError: No client signed that seat in.
        """
        self.api.gateway.force_out(int(agent))
        return {"dismissed": agent}

    def write_guids(self, path: Path) -> None:
        """Write the GUIDs that desktops hold now to a file, there whole or not at all."""
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(msgspec.json.encode(self.guids()))
        fresh.replace(path)

    def start(self) -> Self:
        """Serve on a thread of its own, and keep the GUID file and the folder of exports on another."""
        super().start()
        if self.guid_file is not None:
            self.write_guids(self.guid_file)
        if self.files is not None:
            self._exports = Exports(self.files, self.clock, day_start(self.centre.first_day))
            self.deliver()
        if self.guid_file is not None or self.files is not None:
            self._keeper = threading.Thread(target=self._keep, daemon=True)
            self._keeper.start()
        return self

    def deliver(self) -> None:
        """Bring the folder of exports up to the simulated time now, not within half a second."""
        if self._exports is not None:
            self._exports.deliver(self.api.reading, self.faults)

    def close(self) -> None:
        """Stop serving, answer the polls that wait, and end all connections."""
        self.api.gateway.closing.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        super().close()

    def _keep(self) -> None:
        known: dict[str, str] = {}
        while not self.api.gateway.closing.wait(_KEEP_SECONDS):
            guids = known if self.guid_file is None else self.guids()
            if self.guid_file is not None and guids != known:
                self.write_guids(self.guid_file)
                known = guids
            self.deliver()


def _password(seed: int, number: int) -> str:
    return f"{random.Random(f'{seed}/huawei/password/{number}').getrandbits(48):012x}"
