"""The Command API of a simulated appliance: who is signed in, which teams, which clients, how the box is.

What belongs here: the reading actions of `/api/command`.  What does not: actions that
change anything (nothing that only listens may use them), and the transport.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Final

from simulator.beyondtrust_dialect import PERMISSIONS, Account, Dialect, company_title
from simulator.beyondtrust_facts import Ref, Row
from simulator.beyondtrust_model import Model, Place, Restarts
from simulator.beyondtrust_site import Site
from simulator.beyondtrust_xml import Markup, document, error, forbidden, tag, time_text
from simulator.facts import SECOND
from simulator.wire import Reply

_CLIENT_TYPES: Final = ("representative", "support_customer", "presentation_attendee", "push_agent")
_MOST_IDS: Final = 100
_API_VERSION: Final = "1.22.2"
_VERSION: Final = "23.2.3"
_NAMESPACE: Final = uuid.UUID("3f0f0f52-4d0e-5c69-8a7d-6d5b1d9a0c11")

Given = dict[str, str]


class CommandApi:
    """Answers `/api/command` as of the simulated clock; the state it tells of has no latency."""

    def __init__(self, site: Site, account: Account, model: Model, restarts: Restarts) -> None:
        """Serve a site to one account."""
        self._site = site
        self._account = account
        self._model = model
        self._dialect = model.dialect
        self._restarts = restarts
        self._guid = str(uuid.uuid5(_NAMESPACE, f"{account.company}/{account.client_id}"))
        self._actions: dict[str, Callable[[Given, int], Reply]] = {
            "get_api_info": self._info,
            "check_health": self._health,
            "get_logged_in_reps": self._logged_in,
            "get_support_teams": self._teams,
            "get_connected_client_list": self._client_list,
            "get_connected_clients": self._clients,
        }

        self._roots = {
            "get_api_info": self._dialect.info_root,
            "check_health": "check_health",
            "get_logged_in_reps": "logged_in_reps",
            "get_support_teams": "support_teams",
            "get_connected_client_list": "connected_client_list",
            "get_connected_clients": "connected_clients",
        }

    def answer(self, given: Given, now: int) -> Reply:
        """Answer one action."""
        name = given.get("action", "")
        if "perm_command" in self._dialect.denied:
            return forbidden("command", self._dialect, self._roots.get(name))
        action = self._actions.get(name)
        if action is None:
            return error("command", self._dialect, "Unknown or missing action.")
        return action(given, now)

    def _document(self, root: str, *content: Markup | str) -> Reply:
        return document("command", self._dialect, root, *content)

    # -- the box ------------------------------------------------------------------------

    def _info(self, _: Given, now: int) -> Reply:
        permissions = [
            tag("permission", _granted(name, self._dialect), name=name)
            for name in ("perm_backup", "perm_configuration", *PERMISSIONS)
        ]
        return self._document(
            self._dialect.info_root,
            tag("api_version", _API_VERSION),
            tag("company_name", self._account.company),
            tag("timestamp", now // SECOND),
            tag("permissions", *permissions),
        )

    def _health(self, _: Given, now: int) -> Reply:
        return self._document(
            "check_health",
            tag("appliance", company_title(self._account.company), id=self._guid),
            tag("version", _VERSION),
            tag("success", 1),
            tag("failover_role", "none"),
            tag("enabled_shared_ips"),
            tag("last_data_sync_time", time_text(now, self._dialect), ts=now // SECOND),
            tag("last_data_sync_status"),
        )

    # -- people -------------------------------------------------------------------------

    def _logged_in(self, _: Given, now: int) -> Reply:
        rows = self._model.rows_at(now)
        reps = [
            self._rep(row, _count_of(rows, Ref("representative", place[1])))
            for place, row in _of(rows, "representative")
        ]
        return self._document("logged_in_reps", *reps)

    def _rep(self, row: Row, sessions: int) -> Markup:
        since = int(str(row["created_timestamp"]))
        link = f'<a href="https://{self._account.company}.example/?ac=1&amp;id={row["user_id"]}">Start</a>'
        return tag(
            "rep",
            tag("display_name", str(row["public_display_name"])),
            tag("public_display_name", str(row["public_display_name"])),
            tag("private_display_name", str(row["private_display_name"])),
            tag("type", "Normal"),
            tag("direct_link", link),
            tag("logged_in_since", time_text(since * SECOND, self._dialect), ts=since),
            tag("presentation_count", 0),
            tag("support_session_count", sessions),
            tag("showing_on_rep_list", int(bool(row["routing_available"]))),
            id=row["user_id"],
        )

    def _teams(self, given: Given, _: int) -> Reply:
        teams = []
        for team in self._site.teams:
            members = [
                tag("representative", person.name, id=person.user_id)
                for person in self._site.people.values()
                if person.team == team.number
            ]
            shown = (tag("members", *members),) if given.get("showmembers") == "1" else ()
            teams.append(tag("support_team", tag("name", team.name), *shown, tag("issues"), id=team.team_id))
        return self._document("support_teams", *teams)

    # -- clients ------------------------------------------------------------------------

    def _client_list(self, given: Given, now: int) -> Reply:
        wanted = _types(given.get("type", "all"))
        if wanted is None:
            return error("command", self._dialect, "Invalid client type.", "connected_client_list")
        clients = list(self._connected(wanted, now))
        counts = [tag("count", sum(kind == name for kind, _, _ in clients), type=name) for name in wanted]
        summary = tag("connected_client_summary", tag("appliance_summary", *counts, id=self._guid))
        listed = [tag("connected_client", type=kind, id=number) for kind, number, _ in clients]
        return self._document("connected_client_list", summary, *(() if given.get("summary_only") == "1" else listed))

    def _clients(self, given: Given, now: int) -> Reply:
        wanted = _types(given.get("type", "all"))
        ids = [text for text in given.get("id", "").split(",") if text]
        if wanted is None or len(ids) > _MOST_IDS:
            return error("command", self._dialect, "Invalid client type, or too many ids.", "connected_clients")
        told = [
            self._client(kind, number, row, given)
            for kind, number, row in self._connected(wanted, now)
            if not ids or str(number) in ids
        ]
        return self._document("connected_clients", *told)

    def _client(self, kind: str, number: int, row: Row, given: Given) -> Markup:
        since = int(str(row["created_timestamp"]))
        more = (tag("client_connections"), tag("event_log")) if given.get("include_connections") == "1" else ()
        return tag(
            f"connected_{kind}",
            tag("hostname", str(row["hostname"])),
            tag("platform", str(row["operating_system"]), id="windows"),
            tag("timezone_offset", 0),
            tag("connected_since", time_text(since * SECOND, self._dialect), ts=since),
            *more,
            id=number,
        )

    def _connected(self, wanted: tuple[str, ...], now: int) -> Iterator[tuple[str, int, Row]]:
        """Yield kind, id and row of the clients connected; ids are valid while connected."""
        rows = self._model.rows_at(now)
        numbers = self._model.numbers(self._restarts.at(now))
        tables = {"representative": "representative", "support_customer": "customer_client"}
        for kind in wanted:
            for place, row in _of(rows, tables.get(kind, "")):
                yield kind, numbers[place], row


def _granted(name: str, dialect: Dialect) -> str:
    if name not in PERMISSIONS:
        return "0"
    if name == "perm_command":
        return "deny" if name in dialect.denied else "full_access"
    return str(int(name not in dialect.denied))


def _of(rows: dict[Place, Row], table: str) -> list[tuple[Place, Row]]:
    return [(place, row) for place, row in rows.items() if place[0] == table]


def _count_of(rows: dict[Place, Row], representative: Ref) -> int:
    stays = _of(rows, "representative_support_session")
    return sum(row["representative_id"] == representative for _, row in stays)


def _types(text: str) -> tuple[str, ...] | None:
    if text == "all":
        return _CLIENT_TYPES
    names = tuple(text.split(","))
    return names if set(names) <= set(_CLIENT_TYPES) else None
