"""Where files of the lake go that cannot be read: ``lake/unreadable``, in the same folders; never removed by us.

Knows files and nothing of what they hold; what is made of a loss belongs in ``unreadable.py``.
"""

from contextlib import suppress
from pathlib import Path

from orchestration.files import sync

FOLDER = "unreadable"


def set_aside(root: Path, path: Path) -> Path:
    """Move a file of the lake out of everybody's way; returns where it is then."""
    target = root / FOLDER / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    while target.exists():
        target = target.with_name(f"{target.name}.again")
    with suppress(FileNotFoundError):  # somebody else noticed, too
        path.rename(target)
        sync(path.parent)
    return target


def unreadable(root: Path) -> list[Path]:
    """All files that were set aside and are still there."""
    return sorted(path for path in (root / FOLDER).rglob("*") if path.is_file())


def what_to_do(root: Path, path: Path) -> str:
    """What such a file means and how it is put right."""
    inside = path.relative_to(root / FOLDER)
    if inside.parts[0] == ".builds":
        return "It was made anew of what it had been made from. Look at the disk, then delete this file."
    if path.name.startswith("clock.json"):
        return "It was made anew of the log of attempts. Look at the disk, then delete this file."
    return (
        "What it held counts as not fetched, and is fetched again while the vendor has it; a copy from a backup "
        f"belongs into {root / inside.parent}. Look at the disk, then delete this file."
    )
