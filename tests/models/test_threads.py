"""Threads of a fit: what they do comes out in order, beside what goes on, and fails where it is waited for."""

import threading

import pytest

from models.threads import beside, each, one_openmp_thread


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_lie_in_the_order_of_their_parts(threads: int) -> None:
    assert each(lambda part: 10 * part, range(7), threads) == [0, 10, 20, 30, 40, 50, 60]


def test_so_many_parts_are_worked_on_at_once() -> None:
    both_here = threading.Barrier(2, timeout=30)
    assert sorted(each(lambda _: both_here.wait(), range(2), 2)) == [0, 1]


def test_work_beside_goes_on_while_the_block_does() -> None:
    going, done = threading.Event(), threading.Event()

    def work() -> str:
        going.set()
        assert done.wait(30)
        return "grown"

    with beside(work, 2) as result:
        assert going.wait(30)
        done.set()
        assert result() == "grown"


def test_with_one_thread_work_is_done_when_it_is_asked_for() -> None:
    asked = []
    with beside(lambda: asked.append(threading.current_thread()), 1) as result:
        assert not asked
        result()
    assert asked == [threading.main_thread()]


@pytest.mark.parametrize("threads", [1, 2])
def test_what_went_wrong_beside_is_raised_where_it_is_waited_for(threads: int) -> None:
    def work() -> None:
        message = "no tree"
        raise ValueError(message)

    with beside(work, threads) as result, pytest.raises(ValueError, match="no tree"):
        result()


def test_a_block_that_fails_does_not_wait() -> None:
    done = threading.Event()
    with pytest.raises(KeyboardInterrupt), beside(lambda: done.wait(30), 2):
        raise KeyboardInterrupt
    assert not done.is_set()
    done.set()


def test_a_thread_is_held_to_itself_and_others_are_not() -> None:
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    before = _openmp_effective_n_threads()
    with one_openmp_thread():
        assert _openmp_effective_n_threads() == 1
        assert each(lambda _: _openmp_effective_n_threads(), range(2), 2) == [before, before]
    assert _openmp_effective_n_threads() == before
