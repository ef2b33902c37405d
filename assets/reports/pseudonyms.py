"""Pseudonyms for people in exports: a warehouse in which nobody's id or name stands, for whatever query reads it.

Queries are the same with and without. Who is hidden in the lake itself, too, is a matter of ``shiftbook forget``.
"""

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

import duckdb

MARK = "withheld"
_LEAST_KEY = 16
_HIDDEN = {
    "agent_id": "pseudonym('agent', source, agent_id)",
    "agent_name": "pseudonym('agent', source, agent_id)",
    "display_name": "pseudonym('agent', source, agent_id)",
    "from_agent_id": "pseudonym('agent', source, from_agent_id)",
    # What the vendor does not say the kind of may be an agent; queues and numbers outside are none of our people.
    "to_id": "case when to_kind in ('agent', 'unknown') then pseudonym('agent', source, to_id) else to_id end",
    "person_id": "pseudonym('person', '', person_id)",
    # Where the vendor has no id of the sign-in, ours begins with the agent's.
    "session_id": "pseudonym('session', source, session_id)",
    "missing_id": "pseudonym('record', source, missing_id)",
    # A digest over the ids of both sides without a key: whoever guesses them finds them right.
    "transfer_id": "pseudonym('transfer', source, transfer_id)",
}
_HARMLESS = {
    *("source", "vendor", "feed", "segment", "status", "event_timezone", "figure"),
    *("team", "site", "origin", "activity", "adherence"),
    *("state", "vendor_state", "reason_code", "reason", "direction", "evidence", "ended_by"),
    *("interaction_id", "role", "channel", "to_kind", "kind"),
}

_READ_BY_MACROS = ["int_agent_day_open", "int_feed_gaps", "int_observed_until", "int_source_signals"]


class Pseudonyms:
    """Names that say nothing: the same for the same person and key, and not to be found without the key.

    HMAC-SHA256, of which 16 hexadecimal digits are shown: among 10,000 agents the chance that any two share one is
    below 1 in 10 ** 11.

    Args:
        key: The secret. Another key gives other pseudonyms, so that exports cannot be joined over it.

    Raises:
        ValueError: The key has fewer than 16 characters.
    """

    def __init__(self, key: str) -> None:
        if len(key) < _LEAST_KEY:
            raise ValueError("pseudonym_key: is too short; make one with: openssl rand -hex 32")
        self._key = key.encode()
        self._known: dict[tuple[str, str, str], str] = {}

    def agent(self, source: str, agent_id: str) -> str:
        """What stands for an agent's id and name."""
        return self.of("agent", source, agent_id)

    def person(self, person_id: str) -> str:
        """What stands for a person's id."""
        return self.of("person", "", person_id)

    def of(self, kind: str, source: str, value: str) -> str:
        """What stands for a value of a kind; its beginning is the kind."""
        known = (kind, source, value)
        if known not in self._known:
            # Lengths, so that no two different triples come to the same bytes.
            message = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in known)
            self._known[known] = f"{kind}-{hmac.digest(self._key, message, hashlib.sha256).hex()[:16]}"
        return self._known[known]


def open_pseudonymous(warehouse: Path, macros: Path, pseudonyms: Pseudonyms) -> duckdb.DuckDBPyConnection:
    """The warehouse as a snapshot in UTC, with the tables of ``marts`` and ``ops`` and all macros, but nobody in it.

    Ids, names, persons and sign-ins are pseudonyms, the same in all tables, so that joins work; other texts that are
    not known to be harmless (payloads, errors, requests) are ``withheld``. What picks agents by id has to ask for
    their pseudonyms.

    Args:
        warehouse: ``warehouse.duckdb``.
        macros: The folder of ``create macro`` statements.
        pseudonyms: Whose names they get.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
    connection.create_function("pseudonym", pseudonyms.of, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR")
    # The views in the file name their catalogue.
    quoted = str(warehouse).replace("'", "''")
    connection.execute(f"attach '{quoted}' as warehouse (read_only)")
    tables = connection.execute(
        "select schema_name, view_name from duckdb_views() where database_name = 'warehouse' "
        "and (schema_name in ('marts', 'ops') or list_contains($read_by_macros, view_name))",
        {"read_by_macros": _READ_BY_MACROS},
    ).fetchall()
    for schema, table in tables:
        described = connection.execute(f"describe warehouse.{schema}.{table}").fetchall()
        connection.execute(f"create schema if not exists {schema}")
        hidden = _replaced((name, kind) for name, kind, *_ in described)
        connection.execute(f"create view {schema}.{table} as select *{hidden} from warehouse.{schema}.{table}")
    for path in sorted(macros.glob("*.sql")):
        connection.execute(path.read_text(encoding="utf-8"))
    return connection


def _replaced(columns: Iterable[tuple[str, str]]) -> str:
    """The ``replace`` clause of a table; a text that nobody judged here is withheld."""
    clauses = [
        f'{_HIDDEN.get(name) or f"""if("{name}" is null, null, {MARK!r})"""} as "{name}"'
        for name, kind in columns
        if name in _HIDDEN or ("VARCHAR" in kind and name not in _HARMLESS)
    ]
    return f" replace ({', '.join(clauses)})" if clauses else ""
