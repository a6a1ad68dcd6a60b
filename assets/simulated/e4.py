"""Writing a recording as an Empatica E4 does: seven CSV files and `info.txt` in one zip.

Header number formats, rounding, the zero at the start of EDA, HR's late start, IBI's rejected beats and the ragged
ends are those of real sessions (a test compares them). Fixed time stamps inside the zip make the same recording
the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from functools import cache

import numpy as np
import polars as pl

from assets.simulated.body import ACC_HZ, BVP_HZ, GRID_HZ, TEMP_HZ, Recording
from assets.simulated.loadings import Floats
from assets.simulated.shapes import EDA_HZ

IBI_TICKS_PER_S = 64
EDA_STEP_US = 0.001281
_HR_LATE_S = 10
_BVP_LIMIT = 99_999
_SILENT_S = 0.19
"""BVP is 0 for its first dozen samples."""

INFO = """.csv files in this archive are in the following format:
The first row is the initial time of the session expressed as unix timestamp in UTC.
The second row is the sample rate expressed in Hz.

TEMP.csv
Data from temperature sensor expressed degrees on the Celsius (°C) scale.

EDA.csv
Data from the electrodermal activity sensor expressed as microsiemens (μS).

BVP.csv
Data from photoplethysmograph.

ACC.csv
Data from 3-axis accelerometer sensor. The accelerometer is configured to measure acceleration in the range [-2g, 2g]. \
Therefore the unit in this file is 1/64g.
Data from x, y, and z axis are respectively in first, second, and third column.

IBI.csv
Time between individuals heart beats extracted from the BVP signal.
No sample rate is needed for this file.
The first column is the time (respect to the initial time) of the detected inter-beat interval expressed in seconds (s).
The second column is the duration in seconds (s) of the detected inter-beat interval (i.e., the distance in seconds \
from the previous beat).

HR.csv
Average heart rate extracted from the BVP signal.The first row is the initial time of the session expressed as unix \
timestamp in UTC.
The second row is the sample rate expressed in Hz.


tags.csv
Event mark times.
Each row corresponds to a physical button press on the device; the same time as the status LED is first illuminated.
The time is expressed as a unix timestamp in UTC and it is synchronized with initial time of the session indicated in \
the related data files from the corresponding session.
"""


def e4_zip(recording: Recording, start_s: int, tags_s: Floats, rng: np.random.Generator) -> bytes:
    """One session as the vendor's zip.

    Args:
        recording: the signals, all beginning with the session.
        start_s: UTC second at which it begins.
        tags_s: button presses, UTC seconds.
        rng: decides how ragged the streams' ends are (0.6–7 s).
    """
    cut = rng.uniform(0.6, 7.0, 5)
    files = {
        "ACC.csv": _acc(start_s, recording.acc[: -int(cut[0] * ACC_HZ)]),
        "BVP.csv": _bvp(start_s, recording.bvp[: -int(cut[1] * BVP_HZ)]),
        "EDA.csv": _eda(start_s, recording.eda[: -int(cut[2] * EDA_HZ)]),
        "HR.csv": _hr(start_s, recording.hr_bpm, int(cut[3])),
        "IBI.csv": _ibi(start_s, recording.beats_s, recording.clean),
        "TEMP.csv": _temp(start_s, recording.temp[: -int(cut[4] * TEMP_HZ)]),
        "info.txt": INFO.encode(),
        "tags.csv": "".join(f"{t:.2f}\n" for t in tags_s).encode(),
    }
    return _zip(files, start_s)


def _zip(files: dict[str, bytes], start_s: int) -> bytes:
    stamp = datetime.fromtimestamp(start_s, UTC).timetuple()[:6]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
            archive.writestr(entry, data, compresslevel=1)
    return target.getvalue()


def _acc(start_s: int, acc_g: Floats) -> bytes:
    counts = np.clip(np.round(acc_g * 64), -128, 127).astype(np.int16)
    head = f"{', '.join([f'{start_s}.000000'] * 3)}\n{', '.join([f'{ACC_HZ}.000000'] * 3)}\n"
    return head.encode() + pl.DataFrame(counts).write_csv(include_header=False).encode()


def _bvp(start_s: int, bvp: Floats) -> bytes:
    hundredths = np.clip(np.round(bvp * 100), -_BVP_LIMIT, _BVP_LIMIT).astype(np.int64)
    text = _hundredths().gather(hundredths + _BVP_LIMIT)
    quiet = int(_SILENT_S * BVP_HZ)
    body = pl.DataFrame({"bvp": text[quiet:]}).write_csv(include_header=False, quote_style="never")
    return (f"{start_s}.00\n{BVP_HZ}.000000\n" + "-0.00\n" * quiet + body).encode()


@cache
def _hundredths() -> pl.Series:
    """Every BVP value as text: ten times faster than formatting floats."""
    return pl.Series([f"{v / 100:.2f}" for v in range(-_BVP_LIMIT, _BVP_LIMIT + 1)])


def _eda(start_s: int, eda_us: Floats) -> bytes:
    stepped = np.round(eda_us / EDA_STEP_US) * EDA_STEP_US
    stepped[0] = 0.0
    return f"{start_s}.000000\n{EDA_HZ}.000000\n".encode() + _lines(stepped, 6)


def _temp(start_s: int, temp_c: Floats) -> bytes:
    return f"{start_s}.000000\n{TEMP_HZ}.000000\n".encode() + _lines(np.floor(temp_c * 50) / 50 + 0.01, 2)


def _hr(start_s: int, hr_bpm: Floats, cut_s: int) -> bytes:
    """Means over the last 10 s, one a second, from 10 s after the start on."""
    total = np.r_[0.0, np.cumsum(hr_bpm)]
    width = _HR_LATE_S * GRID_HZ
    means = ((total[width:] - total[:-width]) / width)[::GRID_HZ]
    return f"{start_s + _HR_LATE_S}.000000\n1.000000\n".encode() + _lines(means[: len(means) - cut_s], 2)


def _ibi(start_s: int, beats_s: Floats, clean: np.ndarray) -> bytes:
    """Intervals between two accepted beats, at the time of the second; where a beat is rejected rows are missing."""
    ticks = np.round(beats_s * IBI_TICKS_PER_S).astype(np.int64)
    kept = clean[1:] & clean[:-1]
    rows = np.stack([ticks[1:], np.diff(ticks)], axis=1)[kept] / IBI_TICKS_PER_S
    return f"{start_s}.000000, IBI\n".encode() + _lines(rows, 6)


def _lines(values: Floats, decimals: int) -> bytes:
    return pl.DataFrame(values).write_csv(include_header=False, float_precision=decimals).encode()
