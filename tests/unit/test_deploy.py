"""The files in ``deploy/``: what they start is what the command line knows, and secrets come from where they say."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from orchestration.cli import main

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def unit(path: Path) -> configparser.ConfigParser:
    """A unit file."""
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",), delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment]  # keys of units are told apart by their case
    parser.read(path)
    return parser


def parsed(words: list[str]) -> None:
    """See to it that the command line takes these words.

    Raises:
        click.UsageError: It does not.
    """
    command = main.commands[words[0]]
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is(path: Path) -> None:
    """If this fails, the service does not start, on somebody else's machine."""
    service = unit(path)["Service"]
    program, *words = service["ExecStart"].split()
    assert program.endswith("/.venv/bin/shiftbook")
    parsed(words)
    assert service["EnvironmentFile"].startswith("/etc/")
    home = dict(one.split("=") for one in service["Environment"].split())["SHIFTBOOK_HOME"]
    assert home == f"/var/lib/{service['StateDirectory']}"  # all else may not be written to
    assert int(service["TimeoutStopSec"]) > 10


def test_units_are_what_systemd_understands(tmp_path: Path) -> None:
    """If this fails, a misspelt key hardens nothing."""
    program = shutil.which("systemd-analyze")
    for path in UNITS:
        # The program and the account are not on this machine.
        text = re.sub(r"(?m)^(User|Group)=.*$", "", path.read_text(encoding="utf-8"))
        (tmp_path / path.name).write_text(re.sub(r"/opt/shiftbook\S*", "/bin/true", text))
        words = [program or "", "verify", "--man=no", str(tmp_path / path.name)]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stderr if program else ""
        assert [line for line in said.splitlines() if path.name in line] == []


def test_the_compose_file_runs_the_image_that_is_built() -> None:
    """If this fails, the container ends at once, or its history is gone with it."""
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["shiftbook"]
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[0]) == ["shiftbook"]
    parsed(service["command"])
    parsed(json.loads(re.findall(r"^CMD (.*)$", text, re.MULTILINE)[0]))
    home = re.findall(r"SHIFTBOOK_HOME=(\S+)", text)[0]
    sources = re.findall(r"SHIFTBOOK_SOURCES=(\S+)", text)[0]
    places = [volume.split(":")[1] for volume in service["volumes"]]
    assert places == [home, sources]


def test_the_image_has_all_that_the_wheel_needs() -> None:
    """If this fails, the image is built without a package of the product, or with somebody's data."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = {word for words in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for word in words.split()}
    wheel = re.findall(r"packages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[0]
    assert copied >= {*re.findall(r'"(\w+)"', wheel), "sql", "pyproject.toml", "uv.lock", "README.md"}
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert allowed == copied
    assert all((ROOT / name).exists() for name in copied)
