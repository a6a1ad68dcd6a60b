import numpy as np

from assets.days import Calendar
from assets.features.windows import grid_of
from assets.study import Study, Windows
from tests.assets.features.builders import MINUTE, START

DAY = (START, START + 24 * 60 * MINUTE)


def test_windows_stand_on_the_epoch_grid_and_overlap_data() -> None:
    data = [(START + 7 * MINUTE, START + 16 * MINUTE)]
    grid = grid_of(Windows(), DAY, data)
    assert ((grid.start_us - START) // MINUTE).tolist() == [5, 10, 15]
    assert (grid.start_us % (5 * MINUTE) == 0).all()


def test_a_whole_day_has_288_windows_and_days_share_none() -> None:
    settings = Windows()
    today, tomorrow = (grid_of(settings, (d, d + 24 * 60 * MINUTE), [(0, 1 << 62)]) for d in (DAY[0], DAY[1]))
    assert len(today) == len(tomorrow) == 288
    assert not set(today.start_us) & set(tomorrow.start_us)


def test_steps_shorter_than_windows_overlap() -> None:
    grid = grid_of(Windows(length_minutes=5, step_minutes=1), DAY, [(START, START + MINUTE)])
    assert grid.start_us.tolist() == [START]
    assert grid.length_us == 5 * MINUTE


def test_no_data_means_no_windows() -> None:
    assert len(grid_of(Windows(), DAY, [])) == 0


def test_a_day_of_the_clock_change_has_twenty_three_hours_of_windows() -> None:
    import datetime as dt

    study = Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {"happy": {}}})
    span = Calendar.of(study, "P001").span_us(dt.date(2024, 3, 31))
    grid = grid_of(Windows(), span, [span])
    assert len(grid) == 23 * 12
    assert np.all(np.diff(grid.start_us) == 5 * MINUTE)
