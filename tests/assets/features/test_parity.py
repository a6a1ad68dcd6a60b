"""Without gaps our numbers are NeuroKit2's: each index compared with the function it is taken from."""

import warnings

import numpy as np
import pytest

from assets.features import ppg
from assets.features.artefacts import classify
from assets.features.complexity import complexity
from assets.features.decompose import decomposed, split
from assets.features.hrv import HF_HZ, LF_HZ, poincare, time_domain, window_hrv
from assets.features.nonlinear import dfa_alpha1, sample_entropy
from assets.features.pulse import template_quality
from assets.features.spectrum import band_powers
from assets.features.sympathetic import sympathetic
from tests.assets.features.builders import rr_series, whole

nk = pytest.importorskip("neurokit2")
SERIES = [rr_series(330, seed=1), rr_series(280, seed=2, lf_ms=60, hf_ms=10), rr_series(400, seed=3, mean_ms=650)]


@pytest.fixture(autouse=True)
def _quiet() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("rr", SERIES)
def test_time_domain_and_poincare_equal_neurokit(rr: np.ndarray) -> None:
    peaks = np.cumsum(np.r_[0, rr]).astype(int)
    theirs = nk.hrv_time(peaks, sampling_rate=1000).iloc[0]
    ours = time_domain(rr, whole(len(rr))) | poincare(rr, whole(len(rr)))
    row, _ = window_hrv(rr, np.cumsum(rr) / 1e3, whole(len(rr)))
    assert row["rr_mean_ms"] == pytest.approx(theirs["HRV_MeanNN"], rel=1e-6)
    for mine, name in (("sdnn_ms", "SDNN"), ("rmssd_ms", "RMSSD"), ("pnn50_pct", "pNN50")):
        assert ours[mine] == pytest.approx(theirs[f"HRV_{name}"], rel=1e-6)
    nonlinear = nk.hrv_nonlinear(peaks, sampling_rate=1000).iloc[0]
    for mine, name in (("sd1_ms", "SD1"), ("sd2_ms", "SD2")):
        assert ours[mine] == pytest.approx(nonlinear[f"HRV_{name}"], rel=1e-6)


@pytest.mark.parametrize("rr", SERIES)
def test_fluctuation_exponent_and_sample_entropy_equal_neurokit(rr: np.ndarray) -> None:
    alpha, _ = nk.fractal_dfa(rr, scale=np.arange(4, 12), multifractal=False)
    entropy, _ = nk.entropy_sample(rr, delay=1, dimension=2, tolerance=0.2 * np.std(rr, ddof=1))
    assert dfa_alpha1(rr, whole(len(rr))) == pytest.approx(alpha, rel=1e-6)
    assert sample_entropy(rr, whole(len(rr))) == pytest.approx(entropy, rel=1e-6)


@pytest.mark.parametrize("rr", SERIES)
def test_band_powers_in_ms2_equal_neurokit_without_normalisation(rr: np.ndarray) -> None:
    time = np.cumsum(rr) / 1e3
    even, _, _ = nk.intervals_process(
        rr, intervals_time=time, interpolate=True, interpolation_rate=4, method="monotone_cubic"
    )
    power = nk.signal_power(
        even, frequency_band=[LF_HZ, HF_HZ], sampling_rate=4, method="welch", max_frequency=0.5, normalize=False
    )
    assert band_powers(rr, time, whole(len(rr)), (LF_HZ, HF_HZ)) == pytest.approx(power.iloc[0].tolist(), rel=1e-6)


@pytest.mark.parametrize("rate", [25, 50, 64, 100, 128])
def test_cleaning_and_peaks_of_a_pulse_equal_neurokit(rate: int) -> None:
    noise = np.round(np.random.default_rng(rate).normal(0, 0.1, 90 * rate), 1)
    raw = nk.ppg_simulate(duration=90, sampling_rate=rate, heart_rate=80, random_state=1) + noise
    cleaned = ppg.clean(raw, float(rate))
    np.testing.assert_allclose(cleaned, nk.ppg_clean(raw, sampling_rate=rate), rtol=1e-9, atol=1e-12)
    theirs = nk.ppg_findpeaks(cleaned, sampling_rate=rate, method="elgendi")["PPG_Peaks"]
    assert ppg.peaks(cleaned, float(rate)).tolist() == theirs.tolist()


def test_template_quality_equals_neurokit() -> None:
    raw = nk.ppg_simulate(duration=60, sampling_rate=64, heart_rate=70, random_state=3)
    raw[1000:1300] += np.random.default_rng(0).normal(0, 1, 300)
    cleaned = ppg.clean(raw, 64.0)
    peaks = ppg.peaks(cleaned, 64.0)
    theirs = nk.ppg_quality(cleaned, peaks, sampling_rate=64, method="templatematch")[peaks[1:-2]]
    np.testing.assert_allclose(template_quality(cleaned, peaks, 64.0)[1:-2], np.clip(theirs, 0, 1), rtol=1e-6)


def test_artefact_classes_equal_neurokits_first_pass() -> None:
    from neurokit2.signal.signal_fixpeaks import _find_artifacts

    random, runs, theirs = np.random.default_rng(0), [], []
    for size in (14, 20, 100, 400) * 5:
        rr = 0.8 + 0.05 * np.sin(np.arange(size) / 5) + 0.02 * random.standard_normal(size)
        for wrong in random.integers(2, size - 2, size // 12):
            rr[wrong] += random.choice([-0.3, 0.3, 0.8])
        peaks = np.round(np.cumsum(np.r_[0, rr]) * 1000).astype(int)
        theirs.append(_find_artifacts(peaks, sampling_rate=1000)[0])
        runs.append(np.diff(peaks) / 1000)
    ours = classify(runs)
    assert sum(len(v) for found in ours for v in found.values()) > 100
    for mine, found in zip(ours, theirs, strict=True):
        assert mine == {kind: list(found[kind]) for kind in mine}


def test_tonic_and_phasic_parts_equal_neurokit() -> None:
    signal = nk.eda_simulate(duration=120, sampling_rate=4, scr_number=6, drift=0.01, random_state=1)
    tonic, phasic = split(signal, 4.0)
    theirs = nk.eda_phasic(signal, sampling_rate=4, method="highpass")
    np.testing.assert_allclose(tonic, theirs["EDA_Tonic"], rtol=1e-6)
    np.testing.assert_allclose(phasic, theirs["EDA_Phasic"], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("method", ["cvxeda", "sparseda"])
def test_deconvolutions_of_a_stretch_equal_neurokit(method: str) -> None:
    if method == "cvxeda":
        pytest.importorskip("cvxopt")
    signal = 2 + nk.eda_simulate(duration=120, sampling_rate=4, scr_number=6, drift=0.01, random_state=1)
    tonic, phasic = decomposed(signal, 4.0, method)
    theirs = nk.eda_phasic(signal, sampling_rate=4, method=method)
    np.testing.assert_allclose(tonic, theirs["EDA_Tonic"], rtol=1e-6)
    np.testing.assert_allclose(phasic, theirs["EDA_Phasic"], rtol=1e-6, atol=1e-9)


def test_the_sympathetic_index_has_the_power_put_in_and_neurokits_up_to_its_ripple() -> None:
    random, time = np.random.default_rng(0), np.arange(1200) / 4
    wave = sum(a * np.sin(2 * np.pi * f * time + p) for f, a, p in ((0.06, 0.2, 0), (0.1, 0.15, 1), (0.2, 0.1, 2)))
    signal = wave + 0.003 * random.standard_normal(1200)
    band, _ = sympathetic([(signal, 4.0)])
    assert band == pytest.approx((0.2**2 + 0.15**2 + 0.1**2) / 2, rel=0.1)  # what was put in
    theirs = nk.eda_sympathetic(signal, sampling_rate=4, method="posada")["EDA_Sympathetic"]
    assert 10 ** (-1.1 / 10) < theirs / band < 1  # its filter ripples by 1 dB
    assert sympathetic([(signal + 8 + 0.01 * time, 4.0)])[0] == pytest.approx(band, rel=1e-6)


@pytest.mark.parametrize("rr", SERIES)
def test_complexity_indices_equal_neurokit(rr: np.ndarray) -> None:
    rr = rr + 0.01 * np.random.default_rng(0).random(len(rr))  # equal neighbours have no order, and theirs is arbitrary
    found = complexity(rr, whole(len(rr)))
    assert found["line_length_ms"] == pytest.approx(np.abs(np.diff(rr)).mean(), rel=1e-9)
    assert found["hjorth_complexity"] == pytest.approx(nk.complexity_hjorth(rr)[0], rel=1e-6)
    assert found["svden"] == pytest.approx(nk.entropy_svd(rr)[0], rel=1e-6)
    theirs, _ = nk.entropy_permutation(rr, dimension=3, weighted=True, conditional=True)
    assert found["cwpen"] == pytest.approx(theirs, rel=1e-6)
