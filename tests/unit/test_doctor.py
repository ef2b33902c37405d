"""What ``shiftbook doctor`` finds without asking any vendor."""

from pathlib import Path

import pytest
import yaml

from orchestration import doctor
from orchestration.aside import set_aside
from orchestration.doctor import Finding, examine
from orchestration.settings import Settings, load_settings
from tests.pipeline.toy import ADDRESS


def settings(folder: Path, **keys: object) -> Settings:
    """One source, switched off unless told."""
    source = {
        "name": "cx",
        "vendor": "cxengage",
        "base_url": ADDRESS,
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "username": "${DOC_USER}",
        "password": "${DOC_PASSWORD}",
        "enabled": False,
        **keys,
    }
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    return load_settings(folder / "home", folder / "sources.yaml", {})


def found(settings: Settings) -> dict[tuple[str, str], Finding]:
    """All findings by subject and check."""
    return {(finding.subject, finding.check): finding for finding in examine(settings)}


def test_a_healthy_home_and_a_source_switched_off_are_well(tmp_path: Path) -> None:
    """A doctor who finds fault with everything is not listened to."""
    findings = found(settings(tmp_path))
    assert all(finding.ok for finding in findings.values())
    assert "switched off" in findings["cx", "enabled"].message


def test_no_source_at_all_is_said_with_the_way_out(tmp_path: Path) -> None:
    """Someone who has not configured anything yet must learn where to begin."""
    finding = found(Settings(tmp_path))["configuration", "sources"]
    assert not finding.ok
    assert "sources.yaml" in finding.message


def test_a_missing_variable_is_named_and_no_secret_told(tmp_path: Path) -> None:
    """The commonest mistake must be found by its name."""
    bad = [finding for finding in examine(settings(tmp_path, enabled=True)) if not finding.ok]
    assert bad
    assert any("DOC_USER" in finding.message or "DOC_PASSWORD" in finding.message for finding in bad)


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A capture that cannot write loses what the vendor forgets."""
    (tmp_path / "home").write_text("a file")
    finding = found(settings(tmp_path))["home", "writable"]
    assert not finding.ok
    assert str(tmp_path / "home") in finding.message


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room must be made before captures fail."""
    for free, files, said in ((1024**3, 10**6, "1.0 GiB free"), (1024**4, 7, "room for 7 files")):
        monkeypatch.setattr(doctor, "room", lambda _, free=free, files=files: (free, files))
        finding = found(settings(tmp_path))["home", "disk"]
        assert not finding.ok
        assert said in finding.message


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "HOOK"),
        ({"HOOK": "http://hooks.example.com/token"}, "https"),
        ({"HOOK": "https://hooks.example.com/x"}, ""),
    ],
    ids=["unset", "plain", "fine"],
)
def test_whom_to_tell_is_looked_at(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """An address that was never given would be found out when the first alarm reaches nobody."""
    assert found(settings(tmp_path))["alarms", "webhook"].ok
    config = tmp_path / "sources.yaml"
    config.write_text(config.read_text() + "alarms: {webhook: '${HOOK}'}\n")
    finding = found(load_settings(tmp_path / "home", config, environ))["alarms", "webhook"]
    assert finding.ok is (not said)
    assert said in finding.message
    assert "token" not in finding.message


def test_files_that_were_set_aside_are_named(tmp_path: Path) -> None:
    """A disk that breaks must be found before it takes more with it."""
    kept = settings(tmp_path)
    path = kept.lake_dir / "raw" / "x" / "bad.parquet"
    path.parent.mkdir(parents=True)
    path.touch()
    aside = set_aside(kept.lake_dir, path)
    finding = found(kept)["home", "files"]
    assert not finding.ok
    assert str(aside) in finding.message
