"""What a Huawei source may say, and which feeds follow from it."""

from pathlib import Path

import pytest

from assets.huawei import AGENT_STATUS, CMS_HISTORY, CMS_STATUS
from assets.huawei.config import HuaweiConfig
from assets.registry import VENDORS, connect, connect_live
from orchestration.settings import SettingsError, feed_rows, feeds_of, load_settings

ENVIRON = {"PW": "hunter2", "AK": "key", "SK": "hunter3"}
SEAT = '{id: "101", password: "${PW}", phone: "8801"}'
CMS = "{cc_id: 1, vdn: 170, access_key: ${AK}, secret_key: ${SK}}"


def load(folder: Path, *lines: str) -> HuaweiConfig:
    """A source with these further lines."""
    text = ["sources:", "  - name: aicc", "    vendor: huawei", "    base_url: https://aicc.example.com:8043"]
    path = folder / "sources.yaml"
    path.write_text("\n".join([*text, *(f"    {line}" for line in lines)]))
    [source] = load_settings(folder, path, ENVIRON).sources
    assert isinstance(source, HuaweiConfig)
    return source


@pytest.mark.parametrize(
    ("lines", "feeds"),
    [
        (["guid_file: guids.json"], ["agent_status"]),
        ([f"agents: [{SEAT}]"], ["agent_status"]),
        ([f"cms: {CMS}"], ["cms_status", "cms_history"]),
        (["guid_file: guids.json", f"cms: {CMS}"], ["agent_status", "cms_status", "cms_history"]),
        ([f"cms: {CMS}", "feeds: [cms_history]"], ["cms_history"]),
        (["cms_files: exports"], ["cms_history"]),
        (["cms_files: exports", f"cms: {CMS}"], ["cms_status", "cms_history"]),
    ],
)
def test_feeds_are_those_that_the_keys_allow(tmp_path: Path, lines: list[str], feeds: list[str]) -> None:
    """If this fails, a feed is asked for without a way to, or one that could be is not."""
    assert [feed.name for feed in feeds_of(load(tmp_path, *lines))] == feeds


def test_values_and_what_they_are_unless_told(tmp_path: Path) -> None:
    """If this fails, a path is looked for elsewhere, or CC-CMS at the gateway although it has an address."""
    source = load(tmp_path, "guid_file: guids.json", f"cms: {CMS}")
    assert (source.poll_seconds, source.guid_file) == (5.0, tmp_path / "guids.json")
    assert source.cms_url == "https://aicc.example.com:8043"
    elsewhere = load(tmp_path, f"cms: {CMS[:-1]}, base_url: 'https://cms.example.com:28443/'}}")
    assert elsewhere.cms_url == "https://cms.example.com:28443"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "cms: nothing says how to ask; add guid_file, agents, cms or cms_files"),
        (["guid_file: g.json", f"agents: [{SEAT}]"], "agents: guid_file is given already"),
        ([f"agents: [{SEAT}, {SEAT}]"], "agents: agent 101 stands twice"),
        ([f"cms: {CMS}", "feeds: [agent_status]"], "cms: feeds names agent_status, which needs guid_file or agents"),
        (["guid_file: g.json", "feeds: [cms_status]"], "cms: feeds names cms_status, which needs cms"),
        (["cms_files: f", "feeds: [cms_status]"], "cms: feeds names cms_status, which needs cms; add it"),
        (["guid_file: g.json", "feeds: [cms_history]"], "feeds names cms_history, which needs cms or cms_files; add"),
        (["guid_file: g.json", "poll_seconds: 0"], "poll_seconds: "),
        (["guid_file: g.json", "poll_seconds: 301"], "poll_seconds: "),
        (["guid_file: g.json", "hold_polls: 0.5"], "hold_polls: "),
        (
            ["guid_file: g.json", "poll_seconds: 300", "hold_polls: 3"],
            "hold_polls: must be at most 2 with poll_seconds",
        ),
        (['agents: [{id: "10", password: "${PW}"}]'], "agents[0].id: must be the agent's work number"),
        (["agents: [{id: 101, password: '${PW}'}]"], "agents[0].id: must be a text; put it in quotes"),
        (['agents: [{id: "101", password: hunter2}]'], "agents[0].password: a secret may not stand in this file"),
        (["cms: {cc_id: 1, vdn: 1, access_key: '${AK}'}"], "cms.secret_key: is required"),
        ([f"cms: {CMS[:-1]}, base_url: 'http://cms.example.com'}}"], "plain http would show credentials"),
        ([f"cms: {CMS[:-1]}, tenant: 5}}"], "cms.tenant: unknown key"),
        (["guid_file: g.json", "guids: g.json"], "guids: unknown key"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_key(tmp_path: Path, lines: list[str], message: str) -> None:
    """If this fails, nobody learns which line is wrong, or a secret is repeated."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, *lines)
    assert f"source aicc: {message}" in str(caught.value) or message in str(caught.value)
    assert len(caught.value.problems) == 1
    assert "hunter2" not in str(caught.value)


def test_sql_learns_how_far_apart_samples_are(tmp_path: Path) -> None:
    """If this fails, a late poll and a hole in the polling look alike."""
    for holds, seconds in ((), 30.0), (("hold_polls: 3",), 45.0):
        load(tmp_path, "guid_file: g.json", f"cms: {CMS}", "poll_seconds: 15", *holds)
        rows = feed_rows(load_settings(tmp_path, tmp_path / "sources.yaml", ENVIRON))
        assert [(row["feed"], row["sample_seconds"], row["hold_seconds"]) for row in rows] == [
            ("agent_status", 15.0, seconds),
            ("cms_status", 15.0, seconds),
            ("cms_history", None, None),
        ]


def test_files_alone_are_not_lost_after_a_day(tmp_path: Path) -> None:
    """If this fails, a file that somebody can still bring counts as forgotten by the vendor."""
    [files] = feeds_of(load(tmp_path, "cms_files: exports"))
    assert files.retention > CMS_HISTORY.retention
    assert feeds_of(load(tmp_path, "cms_files: exports", f"cms: {CMS}"))[-1] == CMS_HISTORY


def test_each_feed_names_a_client_that_can_be_made_without_asking_anybody(tmp_path: Path) -> None:
    """If this fails, a feed has no client, or loading the definitions asks the vendor or reads a secret."""
    source = load(tmp_path, "guid_file: g.json", "cms: {cc_id: 1, vdn: 1, access_key: '${NO}', secret_key: '${NO}'}")
    assert VENDORS["huawei"].feeds == (AGENT_STATUS, CMS_STATUS, CMS_HISTORY)
    assert type(connect_live(source, AGENT_STATUS)).__name__ == "GatewayClient"
    assert type(connect_live(source, CMS_STATUS)).__name__ == "CmsStatusClient"
    assert type(connect(source, CMS_HISTORY)).__name__ == "CmsHistoryClient"
