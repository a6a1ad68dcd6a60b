"""What recorders call their channels and units, and what those are here, for formats that bring any kind."""

from __future__ import annotations

import re

# label: signal; the first that matches counts
_LABELS = (
    (re.compile(r"^(?:acc\w*?|[a-z]*acceler\w*?)[ _.-]*([xyz])$"), "acc_"),
    (re.compile(r"^gyro\w*?[ _.-]*([xyz])$"), "gyro_"),
    (re.compile(r"^(?:ecg|ekg)"), "ecg"),
    (re.compile(r"^(?:hrv|rri?|ibi|rr.?intervals?)$"), "rr"),
    (re.compile(r"^(?:marker|markers|event marker|button|event|events)$"), "marker"),
    (re.compile(r"^(?:eda|gsr|skin.?conduct|scl)"), "eda"),
    (re.compile(r"^dev\w*.?temp"), "device_temp"),
    (re.compile(r"^(?:skin.?)?temp"), "temp"),
    (re.compile(r"^(?:spo2|sao2|osat)"), "spo2"),
    (re.compile(r"^(?:hr|heart.?rate|pulse.?rate|pr)$"), "hr"),
    (re.compile(r"^(?:ppg|pleth|bvp|pulse)"), "bvp"),
    (re.compile(r"^(?:resp|thor|abdo|breath)"), "respiration"),
    (re.compile(r"^emg"), "emg"),
    (re.compile(r"^eog"), "eog"),
    (re.compile(r"^eeg"), "eeg"),
)
# signal: the unit it gets, and what one of each written unit is in it
_UNITS = {
    "ecg": (
        "mV",
        {"uv": 1e-3, "microvolts": 1e-3, "microvolt": 1e-3, "mv": 1.0, "millivolts": 1.0, "v": 1e3, "nv": 1e-6},
    ),
    "acc": ("g", {"mg": 1e-3, "g": 1.0, "m/s2": 1 / 9.80665, "m/s^2": 1 / 9.80665, "m/s²": 1 / 9.80665}),
    "eda": ("µS", {"us": 1.0, "usiemens": 1.0, "microsiemens": 1.0, "ns": 1e-3, "umho": 1.0, "s": 1e6}),
    "temp": ("°C", {"c": 1.0, "degc": 1.0, "°c": 1.0, "celsius": 1.0, "degreec": 1.0}),
    "rr": ("ms", {"ms": 1.0, "milliseconds": 1.0, "s": 1e3, "sec": 1e3, "seconds": 1e3}),
    "hr": ("bpm", {"bpm": 1.0, "1/min": 1.0, "/min": 1.0}),
}
_AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


def known_signal(label: str) -> str | None:
    """The signal that a label names; None where it is not one of those known here."""
    lower = label.lower().strip()
    for pattern, known in _LABELS:
        match = pattern.match(lower)
        if match:
            return known + match[1] if known.endswith("_") else known
    return None


def slug(label: str) -> str:
    """A label as a name in the lake."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:40] or "channel"


def numbered(signal: str, names: dict[str, int]) -> str:
    """A signal's name among those already given in `names`; a second one of a kind gets a number."""
    names[signal] = names.get(signal, 0) + 1
    return signal if names[signal] == 1 else f"{signal}_{names[signal]}"


def base(signal: str) -> str:
    """A signal's kind: `ecg_2` is `ecg`, `acc_x_2` is `acc`."""
    kind = re.sub(r"_\d+$", "", signal)
    return kind[:-2] if kind in _AXES else kind


def in_unit(signal: str, written: str) -> tuple[str, float]:
    """The unit of a signal and the factor to it; a unit that is not known is kept as it is written."""
    unit, factors = _UNITS.get(base(signal), (None, {}))
    factor = factors.get(written.strip().lower().replace("µ", "u").replace("μ", "u"))
    return (unit, factor) if unit and factor else (written.strip() or "a.u.", 1.0)
