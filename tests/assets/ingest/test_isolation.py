import pytest

from assets.errors import DumpError, ReadingError
from assets.ingest.isolation import Limits, isolated
from tests.assets.ingest.faulty import Unloadable, work


def test_what_one_task_does_never_takes_another_down() -> None:
    tasks = ["a", "segfault", "b", "c", "hog", "exit", "d", "raise", "refuse", "e"]
    found = dict(isolated(work, tasks, Limits(seconds=60, memory_mb=400)))
    assert {t: r for t, r in found.items() if isinstance(r, str)} == {t: t.upper() for t in "abcde"}
    reasons = {t: str(r) for t, r in found.items() if isinstance(r, DumpError)}
    assert "crashed (SIGSEGV)" in reasons["segfault"]
    assert "more than 400 MB of memory" in reasons["hog"]
    assert "crashed (exit 3)" in reasons["exit"]
    assert reasons["refuse"] == "not today"
    assert isinstance(found["raise"], ValueError)
    assert found["raise"].__notes__[0].startswith(" at faulty.py:")


def test_a_task_that_hangs_is_stopped_at_its_limit() -> None:
    ((_, error),) = isolated(work, ["hang"], Limits(seconds=2, memory_mb=4000))
    assert str(error) == "reading it took longer than 2 s ([reading] max_seconds)"


def test_nothing_to_do_starts_no_process() -> None:
    assert list(isolated(work, [], Limits(1, 1))) == []


def test_a_process_that_cannot_start_is_told_and_blames_no_dump() -> None:
    with pytest.raises(ReadingError, match="does not start .*no dump was judged"):
        list(isolated(Unloadable(), ["a", "b"], Limits(seconds=60, memory_mb=4000)))
