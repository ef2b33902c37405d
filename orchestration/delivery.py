"""Copies editions to where their readers look: a folder, or the prefix of an object store.

A reader of a folder sees one edition, whole. An object store has no renaming: there each edition lies under a prefix of
its own, and ``manifest.json``, written last, says which is the newest.
"""

import shutil
import uuid
from datetime import date
from importlib import import_module
from pathlib import Path

from orchestration.editions import FAILURE, MANIFEST, Edition
from orchestration.files import exchange, sync


class DeliveryError(Exception):
    """An edition could not be copied to its readers; it stays in ``exports``. The message says where and why."""


def deliver(place: str, edition: Edition, folder: Path) -> str:
    """Copy an edition from its folder unless it is there already; where it is then. A note of a failure goes.

    Args:
        place: A folder, or an address such as ``s3://bucket/prefix`` (also ``gs://``, ``abfss://``).
        edition: What is copied.
        folder: Where it lies in ``exports``.

    Raises:
        DeliveryError: The place is not there or cannot be written to.
    """
    try:
        return _to_store(place, edition, folder) if "://" in place else _to_folder(Path(place), edition, folder)
    except (OSError, ValueError) as error:
        raise DeliveryError(f"{edition.report} {edition.day} could not be copied to {place}: {error}") from error


def deliver_failure(place: str, report: str, day: date, note: Path) -> None:
    """Tell the readers of a report that it could not run: ``could_not_run.txt`` where its day is, beside what is there.

    Raises:
        DeliveryError: The place is not there or cannot be written to.
    """
    try:
        if "://" in place:
            fs = import_module("pyarrow.fs")
            store, prefix = fs.FileSystem.from_uri(place)
            base = f"{prefix.rstrip('/')}/{report}/{day}"
            store.create_dir(base, recursive=True)
            with store.open_output_stream(f"{base}/{FAILURE}") as stream:
                stream.write(note.read_bytes())
        else:
            _mounted(Path(place))
            target = Path(place) / report / day.isoformat()
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(note, target / FAILURE)
    except (OSError, ValueError) as error:
        raise DeliveryError(f"{place} could not be told: {error}") from error


def _mounted(place: Path) -> None:
    if not place.is_dir():
        # Made here, a folder would hide that a share is not mounted.
        raise FileNotFoundError("no such folder; make or mount it, or correct folder: in reports.yaml")


def _to_folder(place: Path, edition: Edition, folder: Path) -> str:
    _mounted(place)
    target = place / edition.report / edition.day.isoformat()
    manifest = (folder / MANIFEST).read_bytes()
    if (target / MANIFEST).exists() and (target / MANIFEST).read_bytes() == manifest:
        (target / FAILURE).unlink(missing_ok=True)
        return str(target)
    waiting = place / edition.report / f".{edition.day}-{uuid.uuid4().hex}"
    waiting.mkdir(parents=True)
    try:
        for name in [*(file.name for file in edition.files), MANIFEST]:
            shutil.copyfile(folder / name, waiting / name)
            sync(waiting / name)
        sync(waiting)
        if target.exists():
            exchange(waiting, target)
        else:
            waiting.rename(target)
    finally:
        shutil.rmtree(waiting, ignore_errors=True)
    return str(target)


def _to_store(place: str, edition: Edition, folder: Path) -> str:
    fs = import_module("pyarrow.fs")  # takes a quarter of a second, and few have a store
    store, prefix = fs.FileSystem.from_uri(place)
    base = f"{prefix.rstrip('/')}/{edition.report}/{edition.day}"
    own = f"{base}/editions/{edition.edition}"
    newest = f"{base}/{MANIFEST}"
    if store.get_file_info(f"{base}/{FAILURE}").type == fs.FileType.File:
        store.delete_file(f"{base}/{FAILURE}")
    if store.get_file_info(newest).type == fs.FileType.File:
        with store.open_input_stream(newest) as stream:
            if stream.read() == (folder / MANIFEST).read_bytes():
                return f"{place.rstrip('/')}/{edition.report}/{edition.day}"
    store.create_dir(own, recursive=True)
    names = [*(file.name for file in edition.files), MANIFEST]
    for name, target in [*((name, f"{own}/{name}") for name in names), (MANIFEST, newest)]:
        with (folder / name).open("rb") as file, store.open_output_stream(target) as stream:
            shutil.copyfileobj(file, stream)
    return f"{place.rstrip('/')}/{edition.report}/{edition.day}"
