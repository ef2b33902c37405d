"""Whatever stands in ``sources.yaml``: settings or a list of problems, and never a secret in either."""

import string
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from assets.config import REFERENCE, SOURCE_NAME, checked_url
from orchestration.settings import Settings, SettingsError, load_settings

SECRET = "q7x9z-hunter2"  # occurs in no key, no message and no text that Hypothesis makes below
ENVIRON = {"A": SECRET, "CX_USER": SECRET, "CX_PASSWORD": SECRET}
GOOD = {
    "name": "cx_us",
    "vendor": "cxengage",
    "base_url": "https://api.cxengage.net",
    "tenant_id": "0b8a7c1e-5a3f-11e7-9f5c-0242ac110002",
    "username": "${CX_USER}",
    "password": "${CX_PASSWORD}",
}
KEYS = [*GOOD, "feeds", "since", "enabled", "ca_bundle", "timeout_seconds", "max_requests_per_minute", "allow_http"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.dates()
    | st.sampled_from([SECRET, "${A}", "${B}", "x${A}", "${", "https://${A}", f"https://u:{SECRET}@h", "cxengage"])
    | st.text(string.ascii_letters + " :{}[]$#&*!", max_size=8)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3), max_leaves=6
)
sources = st.dictionaries(st.sampled_from(KEYS), values, max_size=4).map(lambda changes: {**GOOD, **changes})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One folder for all examples; each writes its file anew."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def attempt(folder: Path, content: bytes) -> Settings | SettingsError:
    """What loading comes to."""
    file = folder / "sources.yaml"
    file.write_bytes(content)
    try:
        return load_settings(folder / "home", file, ENVIRON)
    except SettingsError as refused:
        outcome = refused
    assert outcome.problems
    assert all(problem.startswith(f"{file}: ") and "\n" not in problem for problem in outcome.problems)
    return outcome


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_settings_or_problems(folder: Path, content: bytes) -> None:
    """A damaged file would end in a traceback instead of a message that names it."""
    attempt(folder, content)


@given(document=st.fixed_dictionaries({"sources": values | st.lists(sources, max_size=3)}) | values)
def test_any_yaml_is_settings_or_problems(folder: Path, document: object) -> None:
    """A value of an unexpected type would end in a traceback."""
    attempt(folder, yaml.safe_dump(document).encode())


@given(key=st.sampled_from([key for key in KEYS if key not in {"name", "vendor"}]), value=values)
def test_no_message_repeats_a_value(folder: Path, key: str, value: object) -> None:
    """A secret at the wrong key, or brought there by a variable, would be printed when it is refused."""
    outcome = attempt(folder, yaml.safe_dump({"sources": [{**GOOD, key: value}]}).encode())
    if isinstance(outcome, SettingsError):
        assert SECRET not in str(outcome)
        assert all(f"source cx_us: {key}" in problem for problem in outcome.problems)


@given(names=st.lists(st.sampled_from(["a", "b", "c_1", "B", "1", ""]), max_size=6))
def test_names_are_unique_and_in_order(folder: Path, names: list[str]) -> None:
    """Two sources would write under one name, or a good file would be refused."""
    outcome = attempt(folder, yaml.safe_dump({"sources": [{**GOOD, "name": name} for name in names]}).encode())
    good = len(set(names)) == len(names) and all(SOURCE_NAME.fullmatch(name) for name in names)
    assert isinstance(outcome, Settings) == good
    if isinstance(outcome, Settings):
        assert [source.name for source in outcome.sources] == names


@given(key=st.sampled_from(["username", "password"]), literal=st.text(min_size=1, max_size=20))
def test_a_secret_is_one_reference_and_nothing_else(folder: Path, key: str, literal: str) -> None:
    """Some spelling of a literal secret would be accepted."""
    assume(not REFERENCE.fullmatch(literal.strip()))
    outcome = attempt(folder, yaml.safe_dump({"sources": [{**GOOD, key: literal}]}).encode())
    assert isinstance(outcome, SettingsError)


@given(url=st.text(string.ascii_lowercase + string.digits + ".:/@?#[]\\ %-", max_size=30).map("http{}".format))
def test_plain_http_reaches_this_machine_alone(url: str) -> None:
    """Some spelling of an address would send credentials over the network in plain text."""
    try:
        accepted = checked_url(url, allow_http=False)
    except ValueError:
        return
    host = accepted.split("//")[1]
    assert accepted.startswith("https://") or host.startswith(("localhost", "127.", "[::1]"))
