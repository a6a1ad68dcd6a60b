import io
import json

import numpy as np
import polars as pl
import pytest

from assets.errors import DumpError
from assets.ingest.readers.base import Context
from assets.ingest.reading import coverage, read_dump
from tests.assets.ingest.makers import source
from tests.assets.ingest.readers import test_apple_health as apple
from tests.assets.ingest.readers import test_edf as edf
from tests.assets.ingest.readers import test_embraceplus_minutes as minutes
from tests.assets.ingest.readers import test_everion as everion
from tests.assets.ingest.readers import test_fitbit as fitbit
from tests.assets.ingest.readers import test_generic as generic
from tests.assets.ingest.readers import test_oura as oura
from tests.assets.ingest.readers import test_xdf as xdf
from tests.assets.ingest.readers.test_damaged_loggers import _damaged

STUDY = generic.mapped(mine=generic.MINE, theirs={**generic.MINE, "unit": "iso"})
TAKEOUT = [{"dateTime": f"01/31/26 04:00:{n:02}", "value": {"bpm": 63, "confidence": 2}} for n in range(9)]


def parquet() -> bytes:
    sink = io.BytesIO()
    frame = pl.read_csv(io.StringIO(generic.rows()))
    frame.with_columns(pl.from_epoch("t", time_unit="ms").dt.replace_time_zone("UTC")).write_parquet(sink)
    return sink.getvalue()


def apple_export() -> bytes:
    beats = "".join(f'<InstantaneousBeatsPerMinute bpm="60" time="20:14:0{n}.68"/>\n' for n in (7, 8, 9))
    start = "2026-01-31 20:14:06 +0100"
    sdnn = apple.record("HeartRateVariabilitySDNN", start, "42", beats, endDate="2026-01-31 20:15:06 +0100")
    return apple.export(apple.record("HeartRate", start, "61"), sdnn, apple.record("StepCount", start, "20"))


SEEDS = {
    "edf": edf.edf(
        edf.Channel("ECG", "uV", [[1500, -500]] * 3),
        edf.Channel("HRV", "ms", [[0, 800, 0, 0, 0]] * 3),
        edf.notes("+0||\0+1.25|x|\0", "+1||\0", "+2||\0"),
        kind="EDF+D",
    ),
    "everion": everion.rows(
        *((n, 2, 6, everion.START + n, "60.0;85.0") for n in range(9)),
        *((n, 4, 14, everion.START + n, "900.0;11.0") for n in range(9)),
        *((n, 16, 84, everion.START, "4096.0") for n in range(9)),
    ).encode(),
    "minutes": minutes.table("eda_scl_usiemens", "0.5", "0.6", "|device_not_worn", "0.7").encode(),
    "fitbit": json.dumps(TAKEOUT).encode(),
    "fitbit_intraday": fitbit.intraday("2026-01-31", ("00:00:05", 61), ("00:00:15", 63)).encode(),
    "apple": apple_export(),
    "oura": json.dumps({"data": [oura.NIGHT]}).encode(),
    "xdf": xdf.opening() + xdf.ecg_stream(count=50) + xdf.offset(1, xdf.SINCE_BOOT, 0.0),
    "csv": generic.rows().encode(),
    "parquet": parquet(),
}


@pytest.mark.parametrize("seed", sorted(SEEDS))
def test_whatever_the_damage_an_export_is_read_or_refused_for_a_reason(seed: str) -> None:
    rng, context = np.random.default_rng(len(seed)), Context(STUDY, "P01")
    name, recording = read_dump(source("heart_rate.x", SEEDS[seed]), context)
    assert not recording.empty
    outcomes = set()
    for _ in range(40):
        try:
            reader, recording = read_dump(source("heart_rate.x", _damaged(SEEDS[seed], rng)), context)
            coverage(reader, recording, context, 1_900_000_000_000_000)
        except DumpError:
            outcomes.add("refused")
            continue
        outcomes.add(reader)
        assert all(np.isfinite(s.samples).all() and s.rate_hz > 0 for s in recording.segments)
        assert all((np.diff(e.time_us) >= 0).all() for e in recording.events)
    assert {name} <= outcomes <= {name, "refused", "self_reports"}
