"""What a source may say: secrets, references, addresses and paths. The file around it is tested in test_settings."""

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from assets.config import (
    NAME_LENGTH,
    MissingVariableError,
    Origin,
    RelativePath,
    Secret,
    Section,
    SourceConfig,
    checked_url,
    is_loopback,
)
from assets.cxengage import AGENT_INTERVALS, AGENT_STATES
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from assets.registry import VENDORS, connect

TENANT = "0b8a7c1e-5a3f-11e7-9f5c-0242ac110002"
VALUES = {
    "name": "cx_us",
    "vendor": "cxengage",
    "base_url": "https://api.cxengage.net",
    "tenant_id": TENANT,
    "username": "${CX_USER}",
    "password": "${CX_PASSWORD}",
}
ENVIRON = {"CX_USER": "reader", "CX_PASSWORD": "hunter2"}


class Seat(Section):
    """A nested section, as later vendors have them."""

    label: str = ""
    password: Secret | None = None
    guid_file: RelativePath | None = None
    phones: tuple[str, ...] = ()


def load(environ: dict[str, str] | None = None, /, **changes: object) -> CxEngageConfig:
    """A CxEngage source with some keys changed."""
    origin = Origin(Path("/conf/sources.yaml"), "source cx_us", ENVIRON if environ is None else environ)
    return CxEngageConfig.model_validate({**VALUES, **changes}, context=origin)


def errors(**changes: object) -> list[tuple[str, str]]:
    """The keys that are wrong and why."""
    with pytest.raises(ValidationError) as caught:
        load(**changes)
    return [(".".join(map(str, item["loc"])), item["msg"]) for item in caught.value.errors()]


def test_secret_is_read_when_used() -> None:
    """A rotated password would be used only after a restart."""
    environ = dict(ENVIRON)
    source = load(environ)
    assert source.password.reveal() == "hunter2"
    environ["CX_PASSWORD"] = "rotated"
    assert source.password.reveal() == "rotated"


@pytest.mark.parametrize("environ", [{}, {"CX_PASSWORD": ""}])
def test_missing_secret_names_file_source_key_and_variable(environ: dict[str, str]) -> None:
    """An operator would have to search for the variable that is missing, or an empty password would be sent."""
    source = load(environ)
    with pytest.raises(MissingVariableError) as caught:
        source.password.reveal()
    assert str(caught.value) == (
        "/conf/sources.yaml: source cx_us: password: environment variable CX_PASSWORD is not set or is empty; "
        "set it, or correct the name in ${CX_PASSWORD}"
    )


def test_secret_shows_only_its_reference() -> None:
    """A log line, a traceback or a dump of the configuration would hold the password."""
    source = load()
    shown = [repr(source), str(source), str(source.model_dump()), source.model_dump_json(), repr(source.password)]
    assert not [text for text in shown if "hunter2" in text or "reader" in text]
    assert source.model_dump()["password"] == "${CX_PASSWORD}"


def test_secrets_compare_by_their_variable() -> None:
    """Reloading unchanged settings would look like a change of every source."""
    assert load() == load({})
    assert len({load().password, load({}).password, load().username}) == 2


@pytest.mark.parametrize(
    "literal", ["hunter2", "x${CX_PASSWORD}", "${CX_PASSWORD}${X}", "$CX_PASSWORD", "", 12345, True]
)
def test_literal_secret_is_refused_without_repeating_it(literal: object) -> None:
    """A secret would stand in a file that people commit, and then in the log as well."""
    message = "Value error, a secret may not stand in this file; write ${NAME} and set the environment variable NAME"
    assert errors(password=literal) == [("password", message)]


def test_validation_error_hides_its_input() -> None:
    """A caller that prints pydantic's own error would print a literal secret."""
    with pytest.raises(ValidationError) as caught:
        load(password="hunter2", tenant_id="hunter2", feeds="hunter2")
    assert "hunter2" not in str(caught.value)


def test_secret_given_in_code_is_kept() -> None:
    """Tests and embedders could not build a source without an environment."""
    secret = Secret("ANY", {"ANY": "s3cret"})
    assert load(password=secret).password.reveal() == "s3cret"


def test_without_an_origin_no_variable_is_set() -> None:
    """A configuration built in code would read the process's environment behind settings.py's back."""
    source = CxEngageConfig.model_validate(VALUES)
    with pytest.raises(MissingVariableError, match="CX_PASSWORD"):
        source.password.reveal()


def test_references_in_texts_are_resolved_at_load() -> None:
    """An address from the environment would reach the client as ``${HOST}``."""
    environ = {"HOST": "eu.example.com", "TENANT": TENANT, "LIMIT": "30", "FEED": "agent_states"}
    source = load(
        environ,
        base_url="https://${HOST}:8443",
        tenant_id="${TENANT}",
        max_requests_per_minute="${LIMIT}",
        feeds=["${FEED}"],
    )
    assert (source.base_url, source.tenant_id) == ("https://eu.example.com:8443", TENANT)
    assert (source.max_requests_per_minute, source.feeds) == (30, ("agent_states",))


def test_reference_is_expanded_once() -> None:
    """A value that happens to hold ``${…}`` would drag another variable, perhaps a secret, into an address."""
    seat = Seat.model_validate({"label": "${A}"}, context=Origin(environ={"A": "${B}", "B": "secret"}))
    assert seat.label == "${B}"


def test_missing_variable_in_a_text_is_an_error_of_its_key() -> None:
    """A missing variable would become an empty address, or be reported without its name."""
    [(key, message)] = errors(base_url="https://${NOPE}")
    assert key == "base_url"
    assert "NOPE is not set or is empty" in message


def test_malformed_reference_is_refused() -> None:
    """``${my-host}`` would be taken literally and fail far away, at the vendor's door."""
    assert errors(base_url="https://${my-host}")[0][0] == "base_url"


def test_name_and_vendor_are_taken_literally() -> None:
    """Names in messages, read before references are resolved, would differ from the names in the lake."""
    assert [key for key, _ in errors(name="${CX_USER}", vendor="${CX_USER}")] == ["name", "vendor"]


def test_nested_sections_have_secrets_and_references() -> None:
    """A seat's password could be written literally although a source's cannot."""
    origin = Origin(Path("/conf/sources.yaml"), "source hw", {"PHONE": "8801", "PW": "pw"})
    seat = Seat.model_validate({"password": "${PW}", "phones": ["${PHONE}"], "guid_file": "g.json"}, context=origin)
    assert seat.password is not None
    assert (seat.password.reveal(), seat.phones, seat.guid_file) == ("pw", ("8801",), Path("/conf/g.json"))
    assert Seat.model_validate({"password": None}).password is None
    with pytest.raises(ValidationError):
        Seat.model_validate({"password": "pw"})


@pytest.mark.parametrize("name", ["", "Cx", "1cx", "cx-us", "cx us", "../cx", "cx\n", "é", "a" * (NAME_LENGTH + 1)])
def test_bad_source_names_are_refused(name: str) -> None:
    """A name that breaks paths, globs or SQL would reach the lake."""
    assert [key for key, _ in errors(name=name)] == ["name"]


@pytest.mark.parametrize(
    "changes",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": math.inf},
        {"timeout_seconds": math.nan},
        {"timeout_seconds": True},
        {"max_requests_per_minute": 0},
        {"max_requests_per_minute": 1.5},
        {"retain_raw_days": -1},
        {"since": "2026-02-30"},
        {"since": 86400},
        {"feeds": []},
        {"feeds": "agent_states"},
        {"verify_tls": "perhaps"},
        {"ca_bundle": "nowhere.pem"},
        {"tenant_id": "not-a-uuid"},
        {"tenant_id": f"{{{TENANT}}}"},
        {"tenant_id": ""},
        {"vendor": "kore"},
        {"stuck_after_hours": 0},
        {"stuck_after_hours": "long"},
        {"poll_seconds": 5},
        {"hold_polls": 2},
    ],
)
def test_bad_values_are_errors_of_their_key(changes: dict[str, object]) -> None:
    """A wrong value would be accepted, or blamed on another key."""
    assert [key for key, _ in errors(**changes)] == list(changes)


@pytest.mark.parametrize("day", ["2026-01-31", date(2026, 1, 31), 20260131, "20260131"])
def test_since_takes_a_day_however_yaml_reads_it(day: object) -> None:
    """``since: 20260131``, a number to YAML, would be taken for seconds since 1970."""
    assert load(since=day).since == date(2026, 1, 31)


def test_defaults() -> None:
    """An omitted key would not mean what the contract says."""
    source = load()
    assert (source.enabled, source.verify_tls, source.allow_http) == (True, True, False)
    assert (source.since, source.feeds, source.ca_bundle, source.retain_raw_days) == (None, None, None, None)
    assert source.timeout_seconds == 120.0


def test_configuration_is_frozen() -> None:
    """One thread could change a source under another."""
    source, key = load(), "enabled"
    with pytest.raises(ValidationError):
        setattr(source, key, False)


def test_ca_bundle_is_relative_to_the_file(tmp_path: Path) -> None:
    """A bundle beside sources.yaml would be found only when started from that folder."""
    (tmp_path / "ca.pem").touch()
    values: dict[str, Any] = {**VALUES, "ca_bundle": "ca.pem"}
    source = CxEngageConfig.model_validate(values, context=Origin(tmp_path / "sources.yaml"))
    assert source.ca_bundle == tmp_path / "ca.pem"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.8.7", "::1"])
def test_loopback_hosts(host: str) -> None:
    """The demo's simulator would be refused."""
    assert is_loopback(host)
    literal = f"[{host}]" if ":" in host else host
    assert checked_url(f"http://{literal}:8080/", allow_http=False) == f"http://{literal}:8080"


@pytest.mark.parametrize("host", ["localhost.example.com", "127.example.com", "10.0.0.1", "127.1", "::2"])
def test_hosts_that_only_look_like_loopback(host: str) -> None:
    """Credentials would go over the network in plain text."""
    assert not is_loopback(host)
    literal = f"[{host}]" if ":" in host else host
    with pytest.raises(ValueError, match="allow_http"):
        checked_url(f"http://{literal}", allow_http=False)
    assert checked_url(f"http://{literal}", allow_http=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.cxengage.net",
        "ftp://api.cxengage.net",
        "https://",
        "https:///v1",
        "https://host:hunter2",
        "https://host:0",
        "https://host:99999",
        "https://[::1",
        "https://user:hunter2@host",
        "https://hunter2@host",
        "https://host?token=hunter2",
        "https://host#hunter2",
        "https://ho st",
        "https://host\\@hunter2",
        "http://127.0.0.1\\.example.com",
    ],
)
def test_bad_addresses_are_refused_without_repeating_them(url: str) -> None:
    """Credentials would go to the wrong host, or into a message."""
    with pytest.raises(ValueError, match="must") as caught:
        checked_url(url, allow_http=False)
    assert "hunter2" not in str(caught.value)


def test_wrong_allow_http_is_one_error() -> None:
    """An operator would be told to set the key that is already there."""
    assert [key for key, _ in errors(base_url="http://api.cxengage.net", allow_http="perhaps")] == ["allow_http"]


def test_registry_keys_are_the_vendors_names() -> None:
    """A vendor would be found under another name than its sources and paths have."""
    for name, vendor in VENDORS.items():
        assert vendor.name == name
        assert issubclass(vendor.config, SourceConfig)
        assert vendor.feeds
        assert name in str(vendor.config.model_fields["vendor"].annotation)


def test_registry_connects_cxengage() -> None:
    """The client's name in the registry, a text, would have gone stale."""
    assert VENDORS["cxengage"].feeds == (AGENT_STATES, AGENT_INTERVALS)
    assert isinstance(connect(load(), AGENT_STATES), CxEngageClient)
