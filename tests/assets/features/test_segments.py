from itertools import pairwise

import numpy as np

from assets.features.segments import Segment, joined, pieces, read_segments
from tests.assets.features.builders import START, segment, signals


def test_rows_that_touch_become_one_segment() -> None:
    first, second = segment(np.arange(64), 64.0), segment(np.arange(64), 64.0, START + 1_000_000)
    (whole,) = joined([first, second])
    assert len(whole.samples) == 128
    assert whole.span == (START, START + 2_000_000)


def test_a_gap_stays_a_gap() -> None:
    found = joined([segment(np.ones(64), 64.0), segment(np.ones(64), 64.0, START + 1_100_000)])
    assert [s.span for s in found] == [(START, START + 1_000_000), (START + 1_100_000, START + 2_100_000)]


def test_what_an_earlier_segment_covers_is_cut_from_a_later_one() -> None:
    (whole,) = joined([segment(np.zeros(64), 64.0), segment(np.ones(64), 64.0, START + 500_000)])
    assert len(whole.samples) == 96
    assert whole.samples[:64].sum() == 0


def test_samples_that_are_not_finite_end_a_segment() -> None:
    samples = np.array([1, 2, np.nan, 4, 5, 6, np.inf], dtype=np.float32)
    found = read_segments(signals(eda=(samples, 4.0)))["eda"]
    assert [s.samples.tolist() for s in found] == [[1, 2], [4, 5, 6]]
    assert found[1].start_us == START + 750_000


def test_a_sample_on_the_border_belongs_to_the_later_window() -> None:
    data = Segment(START, 4.0, np.arange(20, dtype=np.float32))
    assert data.slice_of(START, START + 1_000_000) == slice(0, 4)
    assert data.slice_of(START + 1_000_000, START + 2_000_000) == slice(4, 8)


def test_pieces_are_in_charge_of_every_sample_once() -> None:
    data = segment(np.zeros(4 * 1000), 4.0)
    spans = [span for _, span in pieces(data, length_s=300, margin_s=10)]
    assert spans[0][0] == data.start_us
    assert spans[-1][1] == data.end_us
    assert all(a[1] == b[0] for a, b in pairwise(spans))
