"""Reads ``sql/macros``: what each macro is, as the comment above it says. What macros compute is in their SQL alone."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_MACRO = re.compile(r"((?:^--.*\n)*)^create macro (\w+)\(([^)]*)\) as( table)?", re.MULTILINE)
_COLUMN = re.compile(r"(\w+): (.+)")


@dataclass(frozen=True, slots=True)
class Macro:
    """The head of a ``create macro`` statement.

    Attributes:
        name: Its name; macros need no schema before it.
        arguments: What stands between its brackets.
        is_table: It returns rows, not a value.
        description: The sentences above it.
        columns: What the lines ``-- column: meaning`` above it say of the columns it returns. Columns that it takes
            from a table as they are mean what they mean there.
    """

    name: str
    arguments: str
    is_table: bool
    description: str
    columns: Mapping[str, str]


def read_macros(folder: Path) -> Iterator[Macro]:
    """The macros of a folder, in the order in which they are created.

    Raises:
        ValueError: One has no comment above it.
    """
    for path in sorted(folder.glob("*.sql")):
        for comment, name, arguments, table in _MACRO.findall(path.read_text(encoding="utf-8")):
            lines = [line.removeprefix("--").strip() for line in comment.splitlines()]
            columns = {found[1]: found[2] for line in lines if (found := _COLUMN.fullmatch(line))}
            description = " ".join(line for line in lines if not _COLUMN.fullmatch(line))
            if not description:
                raise ValueError(f"{path}: macro {name} has no comment above it; say there what it returns")
            yield Macro(name, arguments, bool(table), description, columns)
