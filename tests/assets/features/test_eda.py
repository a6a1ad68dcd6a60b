import sys
import warnings

import numpy as np
import pytest

from assets.errors import FeatureError
from assets.features.decompose import ready
from assets.features.eda import eda_features, valid_samples
from assets.features.responses import find_responses
from assets.tables import EDA_TABLE
from tests.assets.features.builders import START, segment, windows

RATE = 4.0


def planted(times_s: list[float], amplitude: float = 0.3, seconds: float = 300, level: float = 2.0) -> np.ndarray:
    """Skin conductance with responses of a known height (Bateman function, 0.75 and 2 s)."""
    time = np.arange(round(seconds * RATE)) / RATE
    shape = lambda t: np.where(t > 0, np.exp(-t / 2.0) - np.exp(-t / 0.75), 0.0)  # noqa: E731
    top = shape(np.linspace(0, 10, 1000)).max()
    return level + sum((amplitude * shape(time - at) / top for at in times_s), np.zeros(len(time)))


def features(samples: np.ndarray, **kwargs: object) -> dict[str, object]:
    temperature = kwargs.pop("temperature", [])
    return eda_features([segment(samples, RATE)], temperature, windows(1), **kwargs).row(0, named=True)


def test_planted_responses_are_counted_with_height_and_rise() -> None:
    row = features(planted([30, 60, 95, 130, 170, 200, 240, 270]))
    assert row["scr_per_min"] == pytest.approx(8 / 5)
    assert row["scr_amplitude_us"] == pytest.approx(0.3, rel=0.25)
    assert 0.7 < row["scr_rise_s"] < 2.5
    assert row["eda_tonic_us"] == pytest.approx(2.0, abs=0.05)
    assert 0.5 < row["scr_recovery_s"] < 4
    assert row["reason"] is None


def test_one_artefact_leaves_ten_responses_where_a_relative_threshold_finds_one() -> None:
    nk = pytest.importorskip("neurokit2")
    times = [20.0 + 27 * n for n in range(10)]
    samples = planted(times)
    samples[1000:1004] += 9.0  # one second
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signals, _ = nk.eda_process(samples, sampling_rate=4)
    assert signals["SCR_Peaks"].sum() <= 2
    row = features(samples)
    assert row["scr_per_min"] * 5 * row["coverage"] == pytest.approx(10, abs=1)


def test_noise_below_the_threshold_is_no_response() -> None:
    samples = 2 + 0.0005 * np.random.default_rng(0).standard_normal(1200)
    row = features(samples)
    assert row["scr_per_min"] == 0
    assert row["scr_amplitude_us"] is None
    assert row["reason"] == "no_responses"


def test_the_low_pass_works_at_4_hz() -> None:
    noise = 0.2 * np.random.default_rng(1).standard_normal(1200)
    shaky = features(planted([]) + np.where(np.arange(1200) % 2, 0.1, -0.1))  # all at 2 Hz
    assert shaky["eda_phasic_sd_us"] < 0.02
    assert features(planted([]) + noise)["eda_phasic_sd_us"] < 0.2


@pytest.mark.parametrize("rule", ["low", "high", "fast", "cold"])
def test_kleckners_rules_take_five_seconds_around(rule: str) -> None:
    samples = np.full(400, 2.0)
    temperature = np.full(400, 33.0)
    if rule == "low":
        samples[200] = 0.04
    elif rule == "high":
        samples[200:202] = [59, 61]
    elif rule == "fast":
        samples[200:] = 5.0  # 3 µS in a quarter of a second
    else:
        temperature[200] = 29.0
    good = valid_samples(segment(samples, RATE), [segment(temperature, RATE)])
    wrong = np.flatnonzero(~good)
    assert wrong.min() == 180
    assert 220 <= wrong.max() <= 222


def test_cool_skin_counts_where_a_pulse_shows_that_the_band_is_worn() -> None:
    samples, cool = np.full(1200, 2.0), segment(np.full(1200, 28.0), RATE)
    beats = START + np.arange(0, 300_000_000, 800_000)
    assert not valid_samples(segment(samples, RATE), [cool]).any()
    assert valid_samples(segment(samples, RATE), [cool], beats).all()
    cold = segment(np.full(1200, 22.0), RATE)
    assert not valid_samples(segment(samples, RATE), [cold], beats).any()


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(np.zeros(1200), "not_worn"), (np.full(1200, 0.01), "not_worn"), (np.full(1200, 90.0), "out_of_range")],
)
def test_unworn_and_saturated_windows_say_so(samples: np.ndarray, reason: str) -> None:
    row = features(samples)
    assert row["reason"] == reason
    assert row["eda_mean_us"] is None
    assert row["coverage"] == 0


@pytest.mark.parametrize("size", [0, 1, 3, 30])
def test_short_input_is_a_row_of_nulls(size: int) -> None:
    frame = eda_features([segment(np.full(size, 2.0), RATE)], [], windows(2))
    assert frame.schema == EDA_TABLE.empty().schema
    assert frame["eda_mean_us"].null_count() == 2
    assert frame["reason"][1] == "no_data"


def test_a_response_is_a_rise_from_trough_to_peak() -> None:
    phasic = np.array([0, -0.01, 0, 0.05, 0.1, 0.2, 0.15, 0.1, 0.11, 0.1, 0.0])
    found = find_responses(phasic, RATE)
    assert found.peak.tolist() == [5]
    assert found.amplitude_us[0] == pytest.approx(0.21)
    assert found.rise_s[0] == pytest.approx(1.0)


def test_noise_of_a_fast_device_is_no_speed() -> None:
    noisy = 2 + 0.05 * np.random.default_rng(0).standard_normal(128 * 60)  # up to 20 µS/s from sample to sample
    assert valid_samples(segment(noisy, 128.0), []).mean() > 0.99


@pytest.mark.parametrize("rate", [1 / 60, 0.2, 0.9])
def test_a_slow_device_gives_the_level_alone_and_says_so(rate: float) -> None:
    row = eda_features([segment(np.full(round(600 * rate), 2.0), rate)], [], windows(1)).row(0, named=True)
    assert row["eda_mean_us"] == pytest.approx(2.0)
    assert row["scr_per_min"] is None
    assert row["reason"] == "rate_too_low"


@pytest.mark.parametrize("rate", [1.0, 4.0, 8.0, 15.9, 128.0])
def test_planted_responses_are_found_at_any_rate(rate: float) -> None:
    at_4_hz = planted([30, 60, 95, 130, 170, 200, 240, 270])
    time = np.arange(round(300 * rate)) / rate
    samples = np.interp(time, np.arange(len(at_4_hz)) / RATE, at_4_hz)
    row = eda_features([segment(samples, rate)], [], windows(1)).row(0, named=True)
    assert row["scr_per_min"] == pytest.approx(8 / 5)


def test_recovery_is_the_time_to_half_the_amplitude() -> None:
    phasic = np.r_[0.0, -0.01, np.linspace(0, 0.4, 9), np.linspace(0.375, -0.1, 20)]
    found = find_responses(phasic, RATE)
    assert found.recovery_s[0] == pytest.approx((0.205 / 0.025) / RATE, rel=0.01)
    cut = find_responses(phasic[:15], RATE)
    assert np.isnan(cut.recovery_s[0])


@pytest.mark.parametrize("method", ["cvxeda", "sparseda"])
def test_the_deconvolutions_find_planted_responses_and_say_where_they_fail(method: str) -> None:
    if method == "cvxeda":
        pytest.importorskip("cvxopt")
    row = features(planted([30, 60, 95, 130, 170, 200, 240, 270]), method=method)
    assert row["scr_per_min"] == pytest.approx(8 / 5)
    assert row["eda_tonic_us"] == pytest.approx(2.0, abs=0.02)  # the high-pass puts part of the responses into it
    flat = features(np.full(1200, 2.0), method="sparseda")
    assert flat["eda_mean_us"] == pytest.approx(2.0)
    assert (flat["eda_tonic_us"], flat["scr_per_min"], flat["reason"]) == (None, None, "not_decomposed")


def test_cvxeda_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvxopt", None)
    with pytest.raises(FeatureError, match=r"pip install 'macromicro\[cvxeda\]'"):
        ready("cvxeda")


def test_the_sympathetic_index_needs_a_minute_without_a_gap() -> None:
    wave = 2 + 0.2 * np.sin(2 * np.pi * 0.1 * np.arange(1200) / RATE)
    assert features(wave)["eda_sympathetic_us2"] == pytest.approx(0.02, rel=0.1)
    assert features(wave)["eda_sympathetic_share"] > 0.95
    for at in range(100, 1200, 200):
        wave[at] = 70.0
    assert features(wave)["eda_mean_us"] is not None
    assert features(wave)["eda_sympathetic_us2"] is None


@pytest.mark.parametrize("rate", [3.9, 51.2, 64 / 15, 102.4, 128.0])
def test_a_thermometer_that_ends_first_at_the_same_rate_ends_nothing_else(rate: float) -> None:
    """Its end is rounded to a whole µs, and may lie behind the skin's next sample."""
    skin = segment(np.full(3000, 2.0), rate, 0)
    for samples in range(100, 2900, 97):
        warm = segment(np.full(samples, 33.0), rate, 0)
        assert valid_samples(skin, [warm]).all()
