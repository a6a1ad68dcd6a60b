import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assets.ingest.overlap import Covered, events_once, segments_once
from assets.ingest.recording import Events, Segment

SECOND = 1_000_000


def segment(start: float, length: int, value: float = 0.0, rate: float = 4.0) -> Segment:
    return Segment("eda", "µS", round(start * SECOND), rate, np.full(length, value, np.float32))


def spans(kept: list[tuple[str, Segment]]) -> list[tuple[str, float, float]]:
    return sorted((d, s.start_us / SECOND, s.end_us / SECOND) for d, s in kept)


def test_the_same_stretch_from_two_dumps_stands_once() -> None:
    assert spans(segments_once([("a", segment(0, 40)), ("b", segment(0, 40))])) == [("a", 0.0, 10.0)]


def test_the_longer_recording_wins_and_the_other_fills_what_it_leaves_open() -> None:
    kept = segments_once([("part", segment(8, 20)), ("whole", segment(0, 40))])
    assert spans(kept) == [("part", 10.0, 13.0), ("whole", 0.0, 10.0)]
    kept = segments_once([("long", segment(-5, 100)), ("whole", segment(0, 40))])
    assert spans(kept) == [("long", -5.0, 20.0)]


def test_a_gap_in_the_longer_one_is_filled_by_the_other() -> None:
    kept = segments_once([("a", segment(0, 400)), ("a", segment(110, 400)), ("b", segment(90, 100))])
    assert spans(kept) == [("a", 0.0, 100.0), ("a", 110.0, 210.0), ("b", 100.0, 110.0)]


def test_the_order_of_dumps_does_not_matter() -> None:
    given_ = [("a", segment(0, 40, 1)), ("b", segment(5, 40, 2)), ("c", segment(7, 100, 3))]
    assert spans(segments_once(given_)) == spans(segments_once(given_[::-1]))


def test_other_signals_are_left_alone() -> None:
    other = Segment("temp", "°C", 0, 4.0, np.zeros(40, np.float32))
    assert len(segments_once([("a", segment(0, 40)), ("b", other)])) == 2


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 80)), min_size=1, max_size=8))
def test_every_moment_that_any_dump_covers_is_covered_exactly_once(parts: list[tuple[int, int]]) -> None:
    labelled = [(str(n), segment(start, length)) for n, (start, length) in enumerate(parts)]
    kept = segments_once(labelled)
    moments = {round(s.time_us(i) / 250_000) for _, s in labelled for i in range(len(s.samples))}
    found = [round(s.time_us(i) / 250_000) for _, s in kept for i in range(len(s.samples))]
    assert sorted(found) == sorted(moments)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=10), st.integers(0, 50), st.integers(1, 30))
def test_free_stretches_are_what_nothing_took(taken: list[tuple[int, int]], start: int, length: int) -> None:
    covered = Covered()
    for at, size in taken:
        covered.take(at, at + size)
    used = {m for at, size in taken for m in range(at, at + size)}
    free = [m for a, b in covered.free(start, start + length) for m in range(a, b)]
    assert free == [m for m in range(start, start + length) if m not in used]


def beats(times: list[float]) -> Events:
    at = np.array([round(t * SECOND) for t in times], np.int64)
    return Events("beat", at, np.full(len(at), 1000.0), np.r_[False, np.diff(at) == SECOND])


def test_beats_of_two_devices_are_never_interleaved() -> None:
    whole = beats([0.0, 1.0, 2.0, 3.0, 20.0, 21.0, 22.0])
    other = beats([1.5, 2.5, 10.0, 11.0, 12.0, 21.5])
    kept = dict(events_once([("b", 6, other), ("a", 7, whole)]))
    assert len(kept["a"].time_us) == 7
    assert (kept["b"].time_us / SECOND).tolist() == [10.0, 11.0, 12.0]
    assert kept["b"].valid.tolist() == [False, True, True]


def test_a_beat_that_an_unfinished_copy_places_a_little_apart_stands_once() -> None:
    """Intervals without times of their own are placed by what surrounds them, which a cut file has less of."""
    whole, cut = beats([1.0, 2.0, 3.0, 4.0, 5.0]), beats([0.996, 1.996, 2.996])
    kept = events_once([("cut", 3, cut), ("whole", 5, whole)])
    assert [(d, len(e.time_us)) for d, e in kept] == [("whole", 5)]


def test_of_two_values_at_one_moment_the_fuller_export_s_counts() -> None:
    def sleep(times: list[int], values: list[float]) -> Events:
        return Events("sleep", np.array(times, np.int64), np.array(values), np.ones(len(times), np.bool_))

    kept = events_once([("a", 1, sleep([5, 7], [40.0, 3.0])), ("b", 3, sleep([5, 6], [42.0, 1.0]))])
    assert [(d, e.time_us.tolist(), e.value.tolist()) for d, e in kept] == [("b", [5, 6], [42, 1]), ("a", [7], [3])]


def steps(seconds: list[int]) -> Events:
    return Events(
        "steps", np.array(seconds, np.int64) * SECOND, np.full(len(seconds), 100.0), np.ones(len(seconds), np.bool_)
    )


def test_steps_of_one_walk_from_two_devices_count_once() -> None:
    watch = steps([60 * n for n in range(1, 31)])
    band = steps([60 * n + 7 for n in range(31)] + [7200])
    quarters = steps([900, 1800, 9000])
    kept = {d: e.time_us // SECOND for d, e in events_once([("c", 3, quarters), ("b", 29, band), ("a", 30, watch)])}
    assert {d: times.tolist() for d, times in kept.items()} == {
        "a": [60 * n for n in range(1, 31)],
        "b": [7, 7200],
        "c": [9000],
    }


def test_steps_of_a_recording_that_came_in_pieces_all_count() -> None:
    pieces = [steps([60 * n for n in range(first, first + 10)]) for first in (20, 0, 10)]
    assert sum(len(e.time_us) for _, e in events_once([("a", 10, piece) for piece in pieces])) == 30


def test_the_same_tags_from_two_exports_stand_once() -> None:
    tag = Events("tag", np.array([5, 9], np.int64), np.full(2, np.nan), np.ones(2, np.bool_))
    kept = events_once([("b", 2, tag), ("a", 2, tag)])
    assert [(d, e.time_us.tolist()) for d, e in kept] == [("a", [5, 9])]
