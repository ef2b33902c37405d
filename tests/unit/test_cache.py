"""The cache of answers: it may forget, and must never give the answer to another question."""

from pathlib import Path

from orchestration.cache import Cache
from orchestration.models import read_models
from orchestration.settings import sql_dir


def test_an_answer_is_found_once(tmp_path: Path) -> None:
    """If this fails, each process parses every model again."""
    asked: list[str] = []

    def find() -> list[int]:
        asked.append("once")
        return [1, 2]

    assert Cache(tmp_path).get(list[int], "q", find) == Cache(tmp_path).get(list[int], "q", find) == [1, 2]
    assert asked == ["once"]


def test_another_question_has_another_answer(tmp_path: Path) -> None:
    """If this fails, a changed model is built as the old one."""
    cache = Cache(tmp_path)
    answers = iter(range(3))
    assert [cache.get(int, question, lambda: next(answers)) for question in ("a", "b", "a")] == [0, 1, 0]


def test_what_cannot_be_read_is_found_again(tmp_path: Path) -> None:
    """If this fails, a file cut short by a power failure stops every command."""
    cache = Cache(tmp_path)
    cache.get(list[int], "q", lambda: [1])
    [path] = tmp_path.iterdir()
    for content in (b"", b"[1", b'{"another": "shape"}'):
        path.write_bytes(content)
        assert cache.get(list[int], "q", lambda: [2]) == [2]


def test_a_folder_that_cannot_be_written_to_costs_only_time(tmp_path: Path) -> None:
    """If this fails, a home on a read-only disk cannot be looked at."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert Cache(in_the_way / "below").get(int, "q", lambda: 3) == 3


def test_models_are_the_same_from_the_cache(tmp_path: Path) -> None:
    """If this fails, a model's dependencies differ between a first and a second process."""
    cache = Cache(tmp_path)
    assert read_models(sql_dir(), cache) == read_models(sql_dir(), cache) == read_models(sql_dir())
