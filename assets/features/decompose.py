"""Tonic and phasic skin conductance: NeuroKit2's high-pass method, or its cvxEDA and sparsEDA where a study asks.

Each valid stretch is decomposed on its own. The two deconvolutions are slow and grow faster than their input, so long
stretches go in pieces with margins. cvxEDA needs the optional package cvxopt; both code and package are GPL-3.0, which
is why neither is installed by default.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Literal

import numpy as np

from assets.errors import FeatureError
from assets.features.segments import Floats, Segment, pieces

Method = Literal["highpass", "cvxeda", "sparseda"]

SPLIT_HZ = 0.05
PIECE_S, MARGIN_S = 600.0, 60.0
SHORTEST_S = {"highpass": 0.0, "cvxeda": 15.0, "sparseda": 75.0}


def ready(method: Method) -> None:
    """Load what a method needs.

    Raises:
        FeatureError: cvxEDA is asked for and cvxopt is not installed.
    """
    if method != "cvxeda":
        return
    try:
        import cvxopt  # noqa: F401 (NeuroKit2 imports it again)
    except ImportError as error:
        message = (
            'study.toml asks for eda_decomposition = "cvxeda" in [features], which needs the package cvxopt '
            '(GPL-3.0). Install it with: pip install \'macromicro[cvxeda]\', or choose "highpass" or "sparseda". '
            "No features of this day were written."
        )
        raise FeatureError(message) from error


def decomposed(clean: Floats, rate_hz: float, method: Method = "highpass") -> tuple[Floats, Floats]:
    """Tonic and phasic part (µS) of a valid stretch, each (samples,); NaN where the method finds no solution.

    Args:
        clean: low-passed skin conductance (µS), (samples,).
        rate_hz: its sampling rate.
        method: one of `highpass`, `cvxeda` (Greco et al. 2016), `sparseda` (Hernando-Gallego et al. 2017).
    """
    if method == "highpass":
        return split(clean, rate_hz)
    tonic, phasic = np.full(len(clean), np.nan), np.full(len(clean), np.nan)
    for piece, (first, last) in pieces(Segment(0, rate_hz, clean.astype(np.float32)), PIECE_S, MARGIN_S):
        a, b, start = (round(t * rate_hz / 1e6) for t in (first, last, piece.start_us))
        part = clean[start : start + len(piece.samples)]
        tonic[a:b], phasic[a:b] = (x[a - start : b - start] for x in _deconvolved(part, rate_hz, method))
    return tonic, phasic


def split(clean: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Tonic and phasic part by Butterworth filters at 0.05 Hz, as `nk.eda_phasic(method="highpass")`."""
    from scipy.signal import sosfiltfilt

    low, high = butterworth(2, SPLIT_HZ, "lowpass", rate_hz), butterworth(2, SPLIT_HZ, "highpass", rate_hz)
    return sosfiltfilt(low, clean), sosfiltfilt(high, clean)


@lru_cache(maxsize=32)
def butterworth(order: int, cut_hz: float, kind: Literal["lowpass", "highpass"], rate_hz: float) -> Floats:
    """Second-order sections of a Butterworth filter."""
    from scipy.signal import butter

    return np.asarray(butter(order, cut_hz, kind, output="sos", fs=rate_hz))


def _deconvolved(clean: Floats, rate_hz: float, method: Method) -> tuple[Floats, Floats]:
    ready(method)
    import neurokit2 as nk

    nothing = np.full(len(clean), np.nan)
    if len(clean) < SHORTEST_S[method] * rate_hz:
        return nothing, nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parts = nk.eda_phasic(clean, sampling_rate=rate_hz, method=method)
        except (ValueError, IndexError, ArithmeticError, np.linalg.LinAlgError):
            return nothing, nothing  # NeuroKit2's solvers stumble over flat input and say it in these ways
    return parts["EDA_Tonic"].to_numpy(), parts["EDA_Phasic"].to_numpy()
