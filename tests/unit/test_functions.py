"""What SQL may call beside DuckDB's own functions: unpacking and XML, and what they refuse."""

import gzip
import io
import json
import zipfile
import zlib

import duckdb
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assets.json_text import paired
from orchestration import functions
from orchestration.functions import add_functions, csv_to_json, gunzip, xml_to_json


@given(content=st.binary(max_size=200), level=st.integers(1, 9))
def test_what_was_packed_comes_back(content: bytes, level: int) -> None:
    """If this fails, an archive file is not what the appliance wrote."""
    assert gunzip(gzip.compress(content, level)) == content
    assert gunzip(gzip.compress(content) + gzip.compress(content)) == content * 2


@given(text=st.text(st.characters(exclude_categories=[])))
def test_any_json_can_be_read_once_its_characters_are_whole(text: str) -> None:
    """If this fails, one text has the whole reply refused, or a whole one is changed."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.loads(paired(json.dumps([text]).encode()).decode("utf-8")) == [whole]
    assert functions.pair_surrogates(json.dumps([whole])) == json.dumps([whole])
    msgspec.json.decode(paired(json.dumps([text]).encode()))


@given(payload=st.binary(max_size=80))
@example(payload=b"\x1f\x8b")
@example(payload=gzip.compress(b"cut off")[:-4])
@example(payload=gzip.compress(b"damaged")[:-8] + b"\0" * 8)
def test_any_bytes_are_unpacked_or_refused(payload: bytes) -> None:
    """If this fails, one damaged file stops the staging of all."""
    packed = payload.startswith(b"\x1f\x8b")
    assert gunzip(payload) == (None if packed else payload)
    assert xml_to_json(payload) is None or payload.lstrip().startswith(b"<")


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a small file can fill the memory."""
    monkeypatch.setattr(functions, "MOST_UNPACKED", 1000)
    assert gunzip(gzip.compress(b"\0" * 1000)) == b"\0" * 1000
    assert gunzip(gzip.compress(b"\0" * 1001)) is None
    assert gunzip(gzip.compress(b"\0" * 600) * 2) is None


def test_zlib_without_a_gzip_header_is_left_alone() -> None:
    """If this fails, bytes are unpacked that nobody called packed."""
    assert gunzip(zlib.compress(b"x")) == zlib.compress(b"x")


def test_one_and_many_elements_are_written_alike() -> None:
    """If this fails, SQL reads a list of two and loses a list of one."""
    one = json.loads(xml_to_json(b"<a><b id='1'> x </b></a>") or "")
    two = json.loads(xml_to_json(b"<a><b id='1'>x</b><c/><b/></a>") or "")
    assert one == {"a": [{"b": [{"@id": "1", "#text": "x"}]}]}
    assert two == {"a": [{"b": [{"@id": "1", "#text": "x"}, {}], "c": [{}]}]}


@pytest.mark.parametrize("space", ["http://www.bomgar.com/namespaces/API/command", "urn:other"])
def test_namespaces_make_no_difference(space: str) -> None:
    """They differ by product and age; if this fails, an appliance's update empties every table."""
    text = f'<?xml version="1.0"?><p:a xmlns:p="{space}" xmlns:q="urn:q"><p:b q:c="1"/></p:a>'
    assert json.loads(xml_to_json(text.encode()) or "") == {"a": [{"b": [{"@c": "1"}]}]}


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<!DOCTYPE a><a/>",
        b"<a>",
        b"",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<a>" * 20_000 + b"</a>" * 20_000,
    ],
    ids=["entities", "external", "doctype", "cut off", "empty", "encoding", "deep"],
)
def test_what_is_no_plain_xml_is_refused(document: bytes) -> None:
    """If this fails, a document can read files, fill the memory or stop the staging."""
    assert xml_to_json(document) is None


def zipped(**members: bytes) -> bytes:
    """A zip of these members, ``a_csv`` for ``a.csv``."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return packed.getvalue()


TABLE = b'\xef\xbb\xbfid,word\r\n1,"a, b"\r\n\r\n2\n3,"open\n4,\xff\n'
READ = [
    {"id": "1", "word": "a, b", "line": '1,"a, b"'},
    {"line": "2"},
    {"id": "3", "word": "open", "line": '3,"open'},
    {"id": "4", "word": "\ufffd", "line": "4,\ufffd"},
]


def test_a_line_is_a_record_whatever_the_others_are() -> None:
    """If this fails, one stray quote swallows the rest of a file, or a header becomes an operation."""
    assert json.loads(csv_to_json(TABLE, "id,word") or "") == READ


def test_all_tables_of_a_zip_are_read_and_nothing_else() -> None:
    """If this fails, the second part of a large export is lost."""
    packed = zipped(b_csv=b"1,x", readme_txt=b"9,9", a_CSV=b"2,y\n")
    assert [row["word"] for row in json.loads(csv_to_json(packed, "id,word") or "")] == ["x", "y"]
    assert csv_to_json(zipped(readme_txt=b"9,9"), "id,word") is None


@given(payload=st.binary(max_size=80), at=st.integers(0, 130), noise=st.binary(min_size=1, max_size=4))
@example(payload=b"x" * 140_000 + b"\n1,2", at=0, noise=b"P")
@example(payload=b"\r1,\r\x00\n", at=30, noise=b"\xff\xff")
def test_any_bytes_are_lines_or_a_broken_zip(payload: bytes, at: int, noise: bytes) -> None:
    """If this fails, one damaged export stops the staging of all, or a line disappears."""
    read = json.loads(csv_to_json(payload, "id,word") or "null")
    if not payload.startswith(functions.ZIP):
        text = payload.decode("utf-8-sig", "replace")
        assert [row["line"] for row in read] == [
            line for raw in text.split("\n") if (line := raw.removesuffix("\r")).strip() and line != "id,word"
        ]
    packed = zipped(a_csv=b"1,x\n2,y\n" * 5)
    damaged = packed[:at] + noise + packed[at + len(noise) :]
    assert csv_to_json(damaged, "id,word") is None or isinstance(csv_to_json(damaged, "id,word"), str)


def test_a_zipped_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a small export can fill the memory."""
    monkeypatch.setattr(functions, "MOST_UNPACKED", 100)
    assert csv_to_json(zipped(a_csv=b"1" * 60, b_csv=b"1" * 40), "id") is not None
    assert csv_to_json(zipped(a_csv=b"1" * 60, b_csv=b"1" * 41), "id") is None


def test_sql_can_call_all() -> None:
    """If this fails, staging of archives and reports does not run at all."""
    with duckdb.connect() as connection:
        add_functions(connection)
        row = connection.execute(
            "select decode(gunzip($packed)), xml_to_json($xml), gunzip(null), xml_to_json('x'::blob), "
            "csv_to_json('1,2'::blob, 'a,b'), csv_to_json(null, 'a')",
            {"packed": gzip.compress(b"abc"), "xml": b"<a/>"},
        ).fetchone()
    assert row == ("abc", '{"a": [{}]}', None, None, '[{"a": "1", "b": "2", "line": "1,2"}]', None)
