"""The units of work and their assets: same bytes from every entry point, nothing left behind, nothing to do twice."""

import io
from datetime import date as Date

import dagster as dg
import numpy as np
import pytest

from assets.features import physiology
from assets.features.acoustic import ACOUSTIC_UNIT, wanted_acoustic
from assets.features.assets import assets
from assets.features.physiology import PHYSIOLOGY, tidy_physiology, wanted_physiology
from assets.features.summary import SUMMARY_UNIT, wanted_summaries
from assets.lake import Key, Lake
from assets.ledger import Ledger, Stamp
from assets.study import Home, Study
from assets.tables import EVENTS, HRV_TABLE, SIGNALS, VOICE_CLIPS
from assets.units import forget, run_unit, stamped
from tests.assets.features.builders import START
from tests.assets.features.test_acoustic import vowel
from tests.assets.features.test_beats import pulse_train
from tests.assets.features.test_eda import planted

DAYS = (Date(2023, 11, 15), Date(2023, 11, 16))
DAY_US = 86_400_000_000


@pytest.fixture(autouse=True)
def _one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")


def record(home: Home, participant: str, day: int, *, seed: int = 0, clips: bool = False) -> None:
    """Put twelve minutes of a day into the lake as the ingest stage does, stamp included."""
    lake, key = Lake(home.lake), Key(participant, DAYS[day])
    start = START + day * DAY_US + 10 * 3_600_000_000
    random = np.random.default_rng(seed)
    wave = pulse_train(1 + np.cumsum(0.8 + 0.04 * random.standard_normal(880)), 64.0, 720)
    channels = {
        "bvp": (wave, 64.0),
        "eda": (planted([60, 200, 400], seconds=720), 4.0),
        "temp": (np.full(2880, 33.0), 4.0),
        **{f"acc_{a}": (0.57 + 0.01 * random.standard_normal(23040), 32.0) for a in "xyz"},
    }
    rows = [
        {"signal": n, "unit": "", "start_us": start, "rate_hz": r, "samples": np.float32(x), "dump": "d"}
        for n, (x, r) in channels.items()
    ]
    out = {"signals": lake.write(SIGNALS, SIGNALS.frame(rows), key).content}
    if clips:
        out["voice_clips"] = lake.write(VOICE_CLIPS, VOICE_CLIPS.frame([_clip(start)]), key).content
    Ledger(lake, "recordings").record(participant, {DAYS[day]: Stamp("in", "1", out)})


def _clip(start: int) -> dict[str, object]:
    sf = pytest.importorskip("soundfile")
    data = io.BytesIO()
    sf.write(data, vowel(1.0), 16_000, format="FLAC")
    return {"time_us": start, "duration_s": 1.0, "peak": 0.5, "clipped": 0.0, "flac": data.getvalue(), "dump": "d"}


def contents(home: Home) -> dict[Key, dict[str, str]]:
    return {key: dict(stamp.outputs) for key, stamp in stamped(home, PHYSIOLOGY)}


def test_a_day_alone_a_range_and_two_workers_give_the_same_bytes(
    home: Home, study: Study, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Home(tmp_path_factory.mktemp("other"))
    for place in (home, other):
        record(place, "P001", 0, seed=1)
        record(place, "P001", 1, seed=2)
    for day in reversed(DAYS):
        run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study, {day}), quiet=True)
    monkeypatch.setenv("MACROMICRO_WORKERS", "2")
    report = run_unit(PHYSIOLOGY, other, study, wanted_physiology(other, study), quiet=True)
    assert len(report.computed) == 2
    assert contents(home) == contents(other)
    assert {len(v) for v in contents(home).values()} == {6}


def test_a_run_killed_between_two_days_goes_on_to_the_same_bytes(
    home: Home, study: Study, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, days = Home(tmp_path_factory.mktemp("whole")), physiology.day_features
    for place in (home, whole):
        record(place, "P001", 0, seed=1)
        record(place, "P001", 1, seed=2)
    run_unit(PHYSIOLOGY, whole, study, wanted_physiology(whole, study), quiet=True)
    calls = []

    def killed(*args: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return days(*args)

    monkeypatch.setattr(physiology, "day_features", killed)
    with pytest.raises(KeyboardInterrupt):
        run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    assert len(contents(home)) == 1
    monkeypatch.setattr(physiology, "day_features", days)
    report = run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    assert (len(report.computed), report.skipped) == (1, 1)
    assert contents(home) == contents(whole)
    for place in (home, whole):
        run_unit(SUMMARY_UNIT, place, study, wanted_summaries(place, study), quiet=True)
    summaries = [{k: dict(s.outputs) for k, s in stamped(place, SUMMARY_UNIT)} for place in (home, whole)]
    assert summaries[0] == summaries[1]
    assert len(summaries[0]) == 2


def test_an_unchanged_day_is_not_computed_again_and_a_changed_one_is(home: Home, study: Study) -> None:
    record(home, "P001", 0, seed=1)
    record(home, "P002", 0, seed=2)
    run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    record(home, "P002", 0, seed=3)
    report = run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    assert report.computed == [Key("P002", DAYS[0])]
    assert report.skipped == 1


def test_other_windows_compute_the_day_again(home: Home, study: Study) -> None:
    record(home, "P001", 0)
    shorter = study.model_copy(update={"windows": study.windows.model_copy(update={"length_minutes": 2.0})})
    assert wanted_physiology(home, study) != wanted_physiology(home, shorter)


def test_a_day_whose_recordings_are_gone_leaves_nothing_behind(home: Home, study: Study) -> None:
    record(home, "P001", 0)
    run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    from assets.ingest.recordings import RECORDINGS

    forget(RECORDINGS, home, [Key("P001", DAYS[0])])
    assert tidy_physiology(home, study) == [Key("P001", DAYS[0])]
    lake = Lake(home.lake)
    assert not any(lake.exists(table, Key("P001", DAYS[0])) for table in PHYSIOLOGY.tables)
    assert wanted_physiology(home, study) == {}


def test_a_day_with_a_voice_only_wants_no_physiology(home: Home, study: Study) -> None:
    lake, key = Lake(home.lake), Key("P001", DAYS[0])
    part = lake.write(VOICE_CLIPS, VOICE_CLIPS.frame([_clip(START)]), key)
    Ledger(lake, "recordings").record("P001", {DAYS[0]: Stamp("in", "1", {"voice_clips": part.content})})
    assert wanted_physiology(home, study) == {}
    assert list(wanted_acoustic(home, study)) == [key]


def test_a_day_of_beats_alone_still_has_a_heart(home: Home, study: Study) -> None:
    lake, key = Lake(home.lake), Key("P001", DAYS[0])
    start = START + 10 * 3_600_000_000
    beats = [
        {"time_us": start + n * 800_000, "kind": "beat", "value": 800.0 + n % 7, "valid": n > 0, "dump": "d"}
        for n in range(900)
    ]
    part = lake.write(EVENTS, EVENTS.frame(beats), key)
    Ledger(lake, "recordings").record("P001", {DAYS[0]: Stamp("in", "1", {"events": part.content})})
    run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    assert lake.read(HRV_TABLE, key)["hr_bpm"].drop_nulls().len() >= 2
    assert set(contents(home)[key]) == {"beats", "hrv", "minutes"}


def test_the_assets_report_counts_pictures_and_checks(home: Home, study: Study) -> None:
    record(home, "P001", 0, clips=True)
    record(home, "P001", 1)
    upstream = [dg.AssetSpec(name) for name in ("signals", "events", "voice_clips")]
    stage = dg.Definitions(
        assets=[*upstream, *assets(home, study)],
        jobs=[dg.define_asset_job("stage", selection=dg.AssetSelection.groups("features"))],
    )
    tags = {"dagster/asset_partition_range_start": "2023-11-15", "dagster/asset_partition_range_end": "2023-11-16"}
    with dg.DagsterInstance.ephemeral() as instance:
        result = stage.resolve_job_def("stage").execute_in_process(instance=instance, tags=tags)
    assert result.success
    events = [e.materialization for e in result.get_asset_materialization_events()]
    assert {e.asset_key.to_user_string() for e in events} == {
        "beats",
        "hrv",
        "eda",
        "motion",
        "temperature",
        "minutes",
        "daily_summaries",
        "acoustic",
    }
    hrv = next(e.metadata for e in events if e.asset_key == dg.AssetKey("hrv"))
    assert hrv["participant-days computed"].value == 2
    assert hrv["data yield"].value.startswith("![usable hrv data](data:image/png;base64,")
    assert len(hrv["data yield"].value) < 100_000
    beats = {e.partition: e.metadata["a day"].value for e in events if e.asset_key == dg.AssetKey("beats")}
    assert beats.keys() == {"2023-11-15", "2023-11-16"}
    assert all(p.startswith(f"![macromicro show P001 {day}](data:image/png;base64,") for day, p in beats.items())
    assert max(map(len, beats.values())) < 100_000
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert len(list(stamped(home, ACOUSTIC_UNIT))) == 1
