import numpy as np
import pytest

from assets.features.motion import motion_features
from assets.features.temperature import temperature_features
from assets.tables import MOTION_TABLE, TEMPERATURE_TABLE
from tests.assets.features.builders import segment, windows

RATE = 32.0
SIZE = round(300 * RATE)


def motion(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> dict[str, float]:
    axes = {f"acc_{n}": [segment(v, RATE)] for n, v in zip("xyz", (x, y, z), strict=True)}
    return motion_features(axes, windows(1)).row(0, named=True)


def test_a_still_wrist_moves_nothing_and_shows_its_angle() -> None:
    row = motion(np.zeros(SIZE), np.full(SIZE, np.sqrt(0.75)), np.full(SIZE, 0.5))
    assert row["enmo_mg"] == pytest.approx(0, abs=1e-3)
    assert row["zero_crossings_per_min"] == 0
    assert row["pim_mg_s"] == pytest.approx(0, abs=0.1)
    assert row["wrist_angle_deg"] == pytest.approx(30, abs=0.01)
    assert row["coverage"] == 1


def test_a_one_hertz_swing_has_its_known_counts() -> None:
    time = np.arange(SIZE) / RATE
    row = motion(np.zeros(SIZE), np.zeros(SIZE), 1 + 0.2 * np.sin(2 * np.pi * time))
    assert row["zero_crossings_per_min"] == pytest.approx(120, abs=1)
    assert row["enmo_mg"] == pytest.approx(200 / np.pi, rel=0.01)  # half a sine wave above 1 g
    assert row["motion_sd_mg"] == pytest.approx(200 / np.sqrt(2), rel=0.01)
    assert row["pim_mg_s"] == pytest.approx(60 * 200 * 2 / np.pi, rel=0.03)


def test_noise_inside_the_dead_band_is_no_crossing() -> None:
    noise = 0.001 * np.random.default_rng(0).standard_normal(SIZE)
    assert motion(np.zeros(SIZE), np.zeros(SIZE), 1 + noise)["zero_crossings_per_min"] == 0


@pytest.mark.parametrize("rate", [0.1, 1.0, 2.0, 25.0, 63.99])
def test_any_rate_gives_a_row_and_slow_ones_no_counts(rate: float) -> None:
    size = round(300 * rate)
    axes = {f"acc_{n}": [segment(np.full(size, 0.6), rate)] for n in "xyz"}
    row = motion_features(axes, windows(1)).row(0, named=True)
    assert row["enmo_mg"] == pytest.approx(1e3 * (0.6 * np.sqrt(3) - 1), abs=0.1)
    assert (row["zero_crossings_per_min"] is None) == (rate < 2)
    assert row["reason"] == ("rate_too_low" if rate < 2 else None)


def test_an_axis_missing_means_no_motion_table() -> None:
    frame = motion_features({"acc_x": [segment(np.ones(SIZE), RATE)]}, windows(1))
    assert frame.is_empty()
    assert frame.schema == MOTION_TABLE.empty().schema


def test_temperature_has_level_slope_and_spread() -> None:
    warming = 33 + np.linspace(0, 1, 1200)  # a degree in five minutes
    row = temperature_features([segment(warming, 4.0)], windows(1)).row(0, named=True)
    assert row["temp_c"] == pytest.approx(33.5, abs=0.01)
    assert row["temp_slope_c_per_min"] == pytest.approx(0.2, rel=0.01)
    assert row["temp_sd_c"] == pytest.approx(1 / np.sqrt(12), rel=0.01)


def test_room_temperature_is_not_worn_and_half_a_window_is_half_covered() -> None:
    samples = np.r_[np.full(600, 33.0), np.full(600, 22.0), np.full(1200, 22.0)]
    frame = temperature_features([segment(samples, 4.0)], windows(3))
    assert frame["temp_c"].to_list() == [pytest.approx(33.0), None, None]
    assert frame["reason"].to_list() == [None, "not_worn", "no_data"]
    assert frame["coverage"].to_list() == [0.5, 0.0, 0.0]
    assert temperature_features([], windows(1)).schema == TEMPERATURE_TABLE.empty().schema
