"""Huawei's CC-FS: everybody's operation records of a window, as a zip to fetch once it is announced.

What belongs here: asking, the announcement to the asker's address, and the download.
What does not: the records (`huawei_history.py`).  Paths, columns and file name are the
vendor's; the bodies around them are not in our sources, so they hold as little as they can.
"""

from __future__ import annotations

import http.client
import io
import threading
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec

from simulator.clock import SimClock
from simulator.facts import DAY, SECOND, millis, moment_of
from simulator.huawei_cms import HuaweiAccount
from simulator.huawei_history import Reading
from simulator.huawei_signature import is_signed
from simulator.wire import Reply, Request, opaque

PREFIX: Final = "/CCFS/resource/ccfs/"
_QUERY: Final = f"{PREFIX}queryAgentOprInfoData"
_DOWNLOAD: Final = f"{PREFIX}downloadAgentOprInfoFile"
_SECONDS: Final = 10
# The simulator calls nobody but its own machine.
_HOME: Final = ("127.0.0.1", "localhost")


class _Query(msgspec.Struct, rename="camel"):
    begin_time: str
    end_time: str
    call_back_url: str = msgspec.field(name="callBackURL")


class _Download(msgspec.Struct, rename="camel"):
    file_name: str


class Files:
    """Answers CC-FS's requests as of the simulated clock, in the reading it is given."""

    def __init__(self, clock: SimClock, account: HuaweiAccount, reading: Reading) -> None:
        """Serve one account; files already made stay as they are when `reading` changes."""
        self.reading = reading
        self._clock = clock
        self._account = account
        self._made: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        """Answer one signed request; without a valid signature 401 and an opaque body."""
        account = self._account
        if request.method != "POST" or request.path not in {_QUERY, _DOWNLOAD}:
            return opaque(HTTPStatus.NOT_FOUND)
        if not is_signed(request, account.access_key, account.secret_key, self._clock.now()):
            return opaque(HTTPStatus.UNAUTHORIZED)
        try:
            return self._query(request.body) if request.path == _QUERY else self._download(request.body)
        except ValueError:
            return opaque(HTTPStatus.BAD_REQUEST)

    def _query(self, body: bytes) -> Reply:
        wish = msgspec.json.decode(body, type=_Query)
        start, end = (
            millis(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
            for text in (wish.begin_time, wish.end_time)
        )
        where = urlsplit(wish.call_back_url)
        if not 0 < end - start <= DAY or where.scheme != "http" or where.hostname not in _HOME or not where.port:
            return opaque(HTTPStatus.BAD_REQUEST)
        now = self._clock.now()
        with self._lock:
            name = export_name(millis(now), len(self._made))
            self._made[name] = zipped(f"{name}.csv", self.reading.history.table(start, end, millis(now)))
        news = msgspec.json.encode({"resultCode": "0", "fileName": f"{name}.zip"})
        threading.Thread(target=_announce, args=(where.port, where.path, news), daemon=True).start()
        return Reply(HTTPStatus.OK, msgspec.json.encode({"resultCode": "0", "resultDesc": ""}))

    def _download(self, body: bytes) -> Reply:
        name = msgspec.json.decode(body, type=_Download).file_name
        made = self._made.get(name.removesuffix(".zip"))
        return opaque(HTTPStatus.NOT_FOUND) if made is None else Reply(HTTPStatus.OK, made, "application/zip")


def export_name(made: int, number: int) -> str:
    """Return the name, without its ending, of an export made at an instant (milliseconds UTC)."""
    return f"{moment_of(made):%Y%m%d%H%M%S}{made % SECOND:03d}{number:03d}_agentOprInfo_0"


def zipped(name: str, text: bytes) -> bytes:
    """Return a zip with one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return packed.getvalue()


def _announce(port: int, path: str, news: bytes) -> None:
    """Tell the asker that a file is ready; one who is not there is not told again."""
    with suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        connection.request("POST", path or "/", news, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()
