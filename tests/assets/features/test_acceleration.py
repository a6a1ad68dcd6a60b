"""Three axes become one where all were sampled, whatever one of them lacks elsewhere."""

import numpy as np

from assets.features.acceleration import AXES, triples
from assets.features.segments import Segment

START_US, RATE = 1_759_309_200_000_000, 50.0


def stretch(first: int, last: int, late: float = 0.0) -> Segment:
    """Samples that are their own number, from `first` to before `last`, `late` samples behind the clock."""
    start_us = START_US + round((first + late) * 1e6 / RATE)
    return Segment(start_us, RATE, np.arange(first, last, dtype=np.float32))


def test_a_sample_that_one_axis_lacks_costs_that_sample_alone() -> None:
    axes = {"acc_x": [stretch(0, 500), stretch(501, 9000)], "acc_y": [stretch(0, 9000)], "acc_z": [stretch(0, 9000)]}
    found = triples(axes)
    assert [(t[0].start_us, len(t[0].samples)) for t in found] == [
        (START_US, 500), (START_US + round(501e6 / RATE), 8499),
    ]  # fmt: skip
    for together in found:
        for axis in together[1:]:
            np.testing.assert_array_equal(axis.samples, together[0].samples)
            assert axis.start_us == together[0].start_us


def test_whole_axes_stay_as_they_are_and_a_longer_one_is_cut() -> None:
    (found,) = triples({"acc_x": [stretch(0, 100)], "acc_y": [stretch(0, 104)], "acc_z": [stretch(0, 100)]})
    assert [len(axis.samples) for axis in found] == [100, 100, 100]
    assert found[0].start_us == START_US


def test_an_axis_of_another_rate_or_between_the_samples_of_the_others_is_none_of_three() -> None:
    slower = Segment(START_US, 25.0, np.zeros(50, np.float32))
    for other in (slower, stretch(0, 100, late=0.5), stretch(200, 300)):
        assert triples({"acc_x": [stretch(0, 100)], "acc_y": [other], "acc_z": [stretch(0, 100)]}) == []
    assert triples({axis: [stretch(0, 100)] for axis in AXES[:2]}) == []


def test_gaps_in_every_axis_leave_what_all_have_and_short_rests_are_left_out() -> None:
    axes = {
        "acc_x": [stretch(0, 300), stretch(400, 1000)],
        "acc_y": [stretch(0, 290), stretch(295, 900)],
        "acc_z": [stretch(10, 1000)],
    }
    spans = [(round((t[0].start_us - START_US) * RATE / 1e6), len(t[0].samples)) for t in triples(axes)]
    assert spans == [(10, 280), (295, 5), (400, 500)]
    assert [len(t[0].samples) for t in triples(axes, shortest_s=1.0)] == [280, 500]
