"""The keys of ``sources.yaml`` that say what is late, and who is told."""

from pathlib import Path

import pytest

from assets.hours import OpenHours, parse_hours
from orchestration.settings import Settings, SettingsError, load_settings

ONE = """
sources:
  - name: cx_us
    vendor: cxengage
    base_url: https://api.cxengage.net
    tenant_id: 0b8a7c1e-5a3f-11e7-9f5c-0242ac110002
    username: ${CX_USER}
    password: ${CX_PASSWORD}
"""


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    """Settings from a text."""
    (folder / "sources.yaml").write_text(text)
    return load_settings(folder / "home", folder / "sources.yaml", environ or {})


def test_alarms_freshness_and_opening_hours(tmp_path: Path) -> None:
    """Alarms would go nowhere, or come at other times than was written."""
    top = "alarms: {webhook: ${HOOK}, format: slack}\n"
    keys = (
        "    freshness: {warn_minutes: 5, fail_minutes: 20}\n    open_hours: [Mon-Fri 07:00-21:00, Sat 08:00-14:00]\n"
    )
    settings = load(tmp_path, top + ONE + keys, {"HOOK": "https://hooks.example.com/token"})
    assert settings.alarms
    assert (settings.alarms.format, settings.alarms.webhook.reveal()) == ("slack", "https://hooks.example.com/token")
    assert "token" not in repr(settings)
    [source] = settings.sources
    assert (source.freshness.warn_minutes, source.freshness.fail_minutes) == (5, 20)
    assert source.open_hours == parse_hours(["Mon-Fri 07:00-21:00, Sat 08:00-14:00"])
    [plain] = load(tmp_path, ONE).sources
    assert (plain.freshness.warn_minutes, plain.freshness.fail_minutes, plain.open_hours) == (15, 60, OpenHours())


@pytest.mark.parametrize(
    ("top", "keys", "problem"),
    [
        ("alarms: slack", "", "alarms: must have keys, as {key: value}"),
        ("alarms: {format: json}", "", "alarms.webhook: is required; add it"),
        (
            "alarms: {webhook: https://hooks.example.com/x}",
            "",
            "alarms.webhook: a secret may not stand in this file; write",
        ),
        ("alarms: {webhook: ${H}, format: teams}", "", "alarms.format: must be 'json' or 'slack'"),
        ("", "freshness: 5", "source cx_us: freshness: must have keys, as {key: value}"),
        ("", "freshness: {warn: 5}", "source cx_us: freshness.warn: unknown key; remove it"),
        ("", "freshness: {warn_minutes: 0}", "source cx_us: freshness.warn_minutes: must be greater than 0"),
        (
            "",
            "freshness: {warn_minutes: 61}",
            "source cx_us: freshness.fail_minutes: must not be less than warn_minutes",
        ),
        ("", "open_hours: Mon-Fri", "source cx_us: open_hours: must be ranges such as Mon-Fri 07:00-21:00, Sat"),
        ("", "open_hours: 7", "source cx_us: open_hours: must hold a range, as Mon-Fri 07:00-21:00"),
    ],
)
def test_keys_of_watching_that_are_wrong_are_named(tmp_path: Path, top: str, keys: str, problem: str) -> None:
    """A slip in one of them would silence alarms, and nobody would know."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f"{top}\n{ONE}    {keys}\n")
    found = [one.removeprefix(f"{tmp_path / 'sources.yaml'}: ") for one in caught.value.problems]
    assert any(one.startswith(problem) for one in found), found
