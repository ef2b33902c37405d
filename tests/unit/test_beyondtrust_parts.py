"""The small parts of the BeyondTrust clients: XML, configuration, messages, registry. No sockets."""

import gzip
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from assets.beyondtrust import ARCHIVE, COMMAND, SESSIONS, STATE, wire, xml
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.command import CommandClient
from assets.beyondtrust.config import BeyondTrustConfig
from assets.beyondtrust.sessions import SessionsClient
from assets.beyondtrust.state import StateClient
from assets.config import Origin
from assets.registry import VENDORS, connect, connect_live
from tests.unit.scripted_appliance import CONFIG

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


@pytest.mark.parametrize("payload", [BOMB, OUTSIDE, b"<!DOCTYPE a><a/>", gzip.compress(BOMB, mtime=0)])
def test_entities_and_document_types_are_refused(payload: bytes) -> None:
    """A reply could fill the memory, or read this machine's files."""
    with pytest.raises(xml.UnreadableError):
        xml.read(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"<a>",
        b"\x00",
        b"<a>\xff</a>",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        gzip.compress(b"<a>" + b" " * (2 << 20) + b"</a>", mtime=0),
        gzip.compress(b"<a/>", mtime=0)[:-4],
        b"\x1f\x8brubbish",
    ],
)
def test_what_is_no_xml_is_unreadable(payload: bytes) -> None:
    """A broken reply would end in another error than the one that is dealt with."""
    with pytest.raises(xml.UnreadableError):
        xml.read(payload)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"<error>No.</error>", "No."),
        (b'<error xmlns="http://www.beyondtrust.com/sra/namespaces/API/reporting">No.</error>', "No."),
        (b'<b:error xmlns:b="urn:x"> <b:text>No</b:text>.\n</b:error>', "No."),
        (gzip.compress(b"<error>No.</error>", mtime=0), "No."),
        (b"<logged_in_reps><error>No.</error></logged_in_reps>", "No."),
        (b"<error/>", "an error without words"),
        (b"<session_list><session><error>9</error></session></session_list>", None),
        (b"<logged_in_reps/>", None),
    ],
)
def test_an_error_is_known_whatever_its_namespace_and_root(payload: bytes, says: str | None) -> None:
    """An error would be taken for data, as clients that look for ``<error>`` in the text do."""
    assert xml.error(xml.read(payload)) == says


@pytest.mark.parametrize(
    "inner",
    [
        '<permission name="perm_command">read_only</permission>',
        '<permission id="perm_command" value="read_only"/>',
        "<permission><name>perm_command</name><value>read_only</value></permission>",
        "<permission>perm_command=read_only</permission>",
        "<perm_command>read_only</perm_command>",
    ],
)
def test_permissions_are_found_however_they_are_written(inner: str) -> None:
    """The doctor would not see that a permission is missing; the vendor's form is not established."""
    root = xml.read(f'<info xmlns="urn:x"><permissions>{inner}</permissions><permission/></info>'.encode())
    assert xml.permissions(root) == {"perm_command": "read_only"}


def config(**changes: Any) -> BeyondTrustConfig:
    """A source with some keys changed."""
    keys = {"name": "support_eu", "vendor": "beyondtrust", "base_url": "https://support.example.com"}
    secrets = {"client_id": "${A}", "client_secret": "${A}"}
    return BeyondTrustConfig.model_validate(keys | secrets | changes, context=Origin())


def test_the_contracts_example_is_a_source() -> None:
    """What the documentation shows would be refused."""
    made = config(company="example", feeds=["state", "command", "archive", "sessions"], since=date(2026, 1, 1))
    assert (made.company, made.handshake) == ("example", "subprotocol")
    assert all(made.captures(feed.name) for feed in VENDORS["beyondtrust"].feeds)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"client_secret": "literal"}, "client_secret"),
        ({"handshake": "ns01"}, "handshake"),
        ({"handshake": "ns02"}, "handshake"),
        ({"company": "two\nlines"}, "company"),
        ({"company": ""}, "company"),
        ({"handshake": "ns01", "company": "a b"}, "company"),
        ({"base_url": "http://support.example.com"}, "base_url"),
    ],
)
def test_a_wrong_key_is_named_alone(changes: dict[str, str], key: str) -> None:
    """A line break in the company's name would be a header or a message of its own."""
    with pytest.raises(ValidationError) as caught:
        config(**changes)
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]


def test_the_registry_connects_every_feed() -> None:
    """A client's name in the registry, a text, would have gone stale."""
    assert VENDORS["beyondtrust"].feeds == (STATE, ARCHIVE, COMMAND, SESSIONS)
    assert isinstance(connect_live(CONFIG, STATE), StateClient)
    assert isinstance(connect(CONFIG, ARCHIVE), ArchiveClient)
    assert isinstance(connect_live(CONFIG, COMMAND), CommandClient)
    assert isinstance(connect(CONFIG, SESSIONS), SessionsClient)
    assert {feed.name for feed in VENDORS["beyondtrust"].feeds if feed.state_bearing} == {"state", "archive"}


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("wss://support.example.com/nw", "http://proxy:3128"),
        ("ws://support.example.com/nw", None),
        ("wss://inside.example.com/nw", None),
    ],
)
def test_the_machines_proxy_is_used_for_nw(monkeypatch: pytest.MonkeyPatch, address: str, proxy: str | None) -> None:
    """Reports would be read through the proxy, and the live state not be reached at all."""
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example.com")
    assert wire._proxy(address) == proxy


@pytest.mark.parametrize(
    ("line", "model", "refused"),
    [
        (b'{"type":"update_model","insert":{}}\n', True, False),
        (b'{"type":"model_update","delete":{}}\n', True, False),
        (b'{"type":"truncate_model"}\n', True, False),
        (b'{"success":true}\n', False, False),
        (b'{"success":false,"error":"no"}\n', False, True),
        (b'{"update":{"support_session":{"1":{"customer_name":"\\"success\\""}}},"success":false}\n', True, False),
        (b'[{"success":false}]\n', False, False),
        (b'"success"\n', False, False),
        (b"[" * 100_000, False, False),
        (b"\xff\n", False, False),
    ],
)
def test_messages_are_told_by_what_they_hold(line: bytes, *, model: bool, refused: bool) -> None:
    """Of the two names of an update, the one that we had not chosen would be no update."""
    assert (wire.is_model(line), wire.refused(line)) == (model, refused)
