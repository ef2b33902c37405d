"""Whatever a BeyondTrust appliance sends: messages come out of any frames, no reply is lost."""

import gzip

from hypothesis import example, given
from hypothesis import strategies as st

from assets.beyondtrust import xml
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.sessions import SessionsClient
from assets.beyondtrust.wire import Lines, is_model, refused
from assets.http import PermanentError
from assets.windows import Window
from tests.unit.scripted_appliance import CONFIG, NOW, Scripted

streams = st.lists(st.binary(max_size=12).map(lambda part: part.replace(b"\n", b"")), max_size=12)
tags = st.sampled_from(["error", "session", "permission", "state_archive", "time", "index", "{urn:x}error", "a"])
documents = st.recursive(
    st.text("ab1_= ", max_size=8),
    lambda inner: st.builds(
        lambda tag, value, parts: f'<{tag} name="{value}" timestamp="{value}">{"".join(parts)}</{tag}>',
        tags.map(lambda tag: tag.rpartition("}")[2]),
        st.sampled_from(["1", "perm_command", "1772620200", "x"]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)
bodies = (
    st.binary(max_size=60)
    | documents.map(str.encode)
    | documents.map(lambda text: gzip.compress(text.encode()))
    | st.binary(max_size=40).map(lambda tail: xml.GZIP + tail)
)


@given(streams, st.binary(max_size=6).map(lambda part: part.replace(b"\n", b"")), st.lists(st.integers(0, 200)))
@example([b"a", b""], b"", [])
def test_any_split_into_frames_gives_the_same_messages(parts: list[bytes], rest: bytes, cuts: list[int]) -> None:
    """A message would be torn, doubled or glued to its neighbour by where a frame was cut."""
    stream = b"".join(part + b"\n" for part in parts) + rest
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
    lines, heard, begin = Lines(), [], 0
    for end in ends:
        heard += lines.feed(stream[begin:end])
        begin = end
    assert heard == [part + b"\n" for part in parts]
    assert lines.rest == rest
    assert lines.size == len(rest)


@given(bodies)
@example(b"<a>" * 50_000 + b"</a>" * 50_000)
def test_any_reply_is_read_or_unreadable(body: bytes) -> None:
    """A strange reply would end in an error that nobody deals with."""
    try:
        root = xml.read(body)
    except xml.UnreadableError:
        return
    assert xml.error(root) is None or xml.error(root)
    assert all(name.startswith("perm_") for name in xml.permissions(root))


@given(st.binary(max_size=60) | documents.map(str.encode))
def test_any_line_is_a_message_or_none(line: bytes) -> None:
    """A message of an unknown kind would end the connection."""
    assert not (is_model(line) and refused(line))


@given(bodies)
def test_any_reply_is_kept_whatever_it_is(body: bytes) -> None:
    """A page would be lost because a client could not read it; a refusal alone is none."""
    window = Window(NOW.replace(hour=10), NOW.replace(hour=11))
    for client in (ArchiveClient(CONFIG, Scripted(lambda _: body)), SessionsClient(CONFIG, Scripted(lambda _: body))):
        try:
            fetched = client.fetch(window)
        except PermanentError:
            continue
        assert {page.payload for page in fetched.pages} == {body}
        assert fetched.status == "ok" or fetched.error
