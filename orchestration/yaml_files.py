"""Reads a file of settings as YAML, or says where it is wrong without repeating what stands in it.

What the keys mean belongs in ``settings.py``.
"""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path

import yaml
from assets.config import REFERENCE

OPEN, CLOSE = "\ue000", "\ue001"  # private characters that stand for the braces of a reference while YAML is read


class SettingsError(ValueError):
    """What is wrong with the settings: one line per problem, each naming file, source, key and the way out.

    Values are never repeated, names of sources, vendors and feeds aside, so no message can hold a secret.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep the problems, in the order of the file."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _Loader(yaml.SafeLoader):
    """YAML in which a key may stand once, and dates stay texts, so that a wrong one is reported with its key.

    It also takes ``{key: ${NAME}}``, in which YAML sees nested braces: see :func:`read_yaml`.
    """


def _unique_keys(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in seen:
            raise yaml.MarkedYAMLError(problem="a key stands twice", problem_mark=key.start_mark)
        seen.add(str(key.value))
    return loader.construct_mapping(node, deep=True)


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node)).translate({ord(OPEN): "{", ord(CLOSE): "}"})


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_keys)
_Loader.add_constructor("tag:yaml.org,2002:str", _text)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


def read_yaml(file: Path) -> dict[str, object]:
    """The keys of a YAML file, with ``${NAME}`` in every text left as it is.

    Raises:
        SettingsError: It is not there, cannot be read, or is no YAML with keys at its top level.
    """
    try:
        text = REFERENCE.sub(rf"${OPEN}\1{CLOSE}", file.read_text(encoding="utf-8-sig"))
        document = _Loader(text).get_single_data()
    except FileNotFoundError:
        problem = "no such file; name another with --sources or SHIFTBOOK_SOURCES"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = f"{_syntax(error)}; check indentation, and quote values with special characters"
    else:
        if document is None:
            return {}
        if isinstance(document, dict):
            return document
        problem = "must hold keys at its top level, as `sources:`"
    raise SettingsError([f"{file}: {problem}"]) from None


def _syntax(error: Exception) -> str:
    """Where YAML is wrong. PyYAML's own text is cut at its first quote: behind it stands what the file says."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "is not YAML in UTF-8"
    mark = error.problem_mark
    problem = re.split(r"['\"]", error.problem or "")[0].strip()
    return f"not valid YAML at line {mark.line + 1}, column {mark.column + 1} ({problem})"
