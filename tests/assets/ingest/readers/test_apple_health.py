import io
from typing import Any

import numpy as np
import pytest

from assets.errors import DumpError
from assets.ingest.readers.safe_xml import stream_elements
from assets.ingest.recording import Recording
from assets.study import Study
from tests.assets.ingest.makers import read, zipped

DTD = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary|ClinicalRecord)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
<!ATTLIST Record
  type          CDATA #REQUIRED
  startDate     CDATA #REQUIRED
>
]>
"""
ME = '<Me HKCharacteristicTypeIdentifierDateOfBirth="1990-05-17" HKCharacteristicTypeIdentifierBiologicalSex="X"/>'
WATCH = "&lt;&lt;HKDevice: 0x28&gt;, name:Apple Watch, model:Watch&gt;"


def record(kind: str, start: str, value: str, inner: str = "", **more: str) -> str:
    told = {
        "type": f"HKQuantityTypeIdentifier{kind}", "sourceName": "Anna’s Apple\xa0Watch", "startDate": start,
        "endDate": start, "value": value,
    } | more  # fmt: skip
    listed = " ".join(f'{k}="{v}"' for k, v in told.items())
    return f" <Record {listed}>\n{inner} </Record>\n" if inner else f" <Record {listed}/>\n"


def export(*parts: str, dtd: str = DTD) -> bytes:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{dtd}<HealthData locale="de_DE">\n <ExportDate value="x"/>\n {ME}\n'
    )
    return (text + "".join(parts) + "</HealthData>\n").encode()


def events(recording: Recording, kind: str) -> dict[str, float]:
    found = next(e for e in recording.events if e.kind == kind)
    return {
        str(np.datetime64(t, "us"))[:23]: v for t, v in zip(found.time_us.tolist(), found.value.tolist(), strict=True)
    }


def beats_of(study: Study, *clocks: str, start: str = "2026-01-31 20:14:06 +0100", bpm: str = "60") -> Any:
    inner = "".join(f'  <InstantaneousBeatsPerMinute bpm="{bpm}" time="{c}"/>\n' for c in clocks)
    listed = f"  <HeartRateVariabilityMetadataList>\n{inner}  </HeartRateVariabilityMetadataList>\n"
    end = f"{start[:14]}{int(start[14:16]) + 1:02}{start[16:]}"
    recording = read(
        "export.xml", export(record("HeartRateVariabilitySDNN", start, "42.5", listed, endDate=end)), study
    )
    return next(e for e in recording.events if e.kind == "beat")


def test_records_become_events_at_the_time_their_offset_says(study: Study) -> None:
    parts = [
        record("HeartRate", "2026-01-31 09:15:00 +0100", "61.5", unit="count/min"),
        record("HeartRate", "2026-07-31 09:15:00 -0400", "70"),
        record("OxygenSaturation", "2026-01-31 09:15:00 +0100", "0.97", unit="%"),
        record("AppleSleepingWristTemperature", "2026-01-31 09:15:00 +0100", "95.9", unit="degF"),
        record("RestingHeartRate", "2026-01-31 00:30:00 +0100", "58"),
        record("DietaryWater", "2026-01-31 09:15:00 +0100", "250"),
    ]
    recording = read("export.xml", export(*parts), study)
    assert events(recording, "hr") == {"2026-01-31T08:15:00.000": 61.5, "2026-07-31T13:15:00.000": 70}
    assert list(events(recording, "spo2").values()) == [97]
    assert list(events(recording, "wrist_temp").values()) == pytest.approx([35.5])
    assert [(str(d), n, v) for _, d, n, v in recording.daily.rows()] == [("2026-01-31", "resting_hr_bpm", 58)]
    assert recording.remarks == ["types of records not used: DietaryWater (1)"]
    assert "Anna" not in str(recording)
    assert "1990" not in str(recording)


@pytest.mark.parametrize(
    "clocks",
    [
        ("20:14:07.68", "20:14:08.70", "20:14:09.66"),
        ("8:14:07.68 PM", "8:14:08.70 PM", "8:14:09.66 PM"),
        ("8:14:07.68\u202fPM", "8:14:08.70\u202fPM", "8:14:09.66\u202fPM"),
        ("20:14:07,68", "20:14:08,70", "20:14:09,66"),
        ("20.14.07,68", "20.14.08,70", "20.14.09,66"),
        ("19:14:07.68", "19:14:08.70", "19:14:09.66"),
    ],
)
def test_beats_without_a_date_lie_in_their_record(study: Study, clocks: tuple[str, ...]) -> None:
    beats = beats_of(study, *clocks)
    assert [str(np.datetime64(t, "us"))[:22] for t in beats.time_us.tolist()] == [
        "2026-01-31T19:14:07.68",
        "2026-01-31T19:14:08.70",
        "2026-01-31T19:14:09.66",
    ]
    assert beats.value.tolist() == pytest.approx([1000, 1020, 960])
    assert beats.valid.tolist() == [False, True, True]


def test_beats_cross_midnight_and_noon_and_know_a_missing_one(study: Study) -> None:
    across = beats_of(study, "11:59:59.50 PM", "12:00:00.50 AM", start="2026-01-31 23:58:59 +0100")
    assert np.diff(across.time_us).tolist() == [1_000_000]
    assert str(np.datetime64(int(across.time_us[0]), "us"))[:22] == "2026-01-31T22:59:59.50"
    missed = beats_of(study, "20:14:07.00", "20:14:08.00", "20:14:10.00", "20:14:11.00")
    assert missed.valid.tolist() == [False, True, False, True]


def test_steps_of_watch_and_phone_are_not_added_up(study: Study) -> None:
    start = "2026-01-31 09:15:00 +0100"
    parts = [record("StepCount", start, "20", device=WATCH), record("StepCount", start, "25", sourceName="iPhone")]
    recording = read("export.xml", export(*parts), study)
    assert list(events(recording, "steps").values()) == [20]
    assert list(events(recording, "steps_phone").values()) == [25]


def test_sleep_of_several_apps_counts_once(study: Study) -> None:
    def night(value: str, start: str, end: str, source: str) -> str:
        kind = "HKCategoryTypeIdentifierSleepAnalysis"
        found = record("", f"2026-01-31 {start}:00 +0100", f"HKCategoryValueSleepAnalysis{value}", sourceName=source)
        found = found.replace("HKQuantityTypeIdentifier", kind)
        return found.replace(f'endDate="2026-01-31 {start}', f'endDate="2026-01-31 {end}')

    parts = [
        night("InBed", "00:00", "07:00", "phone"),
        night("AsleepCore", "01:00", "03:00", "watch"),
        night("AsleepDeep", "03:00", "04:00", "watch"),
        night("AsleepUnspecified", "02:00", "04:30", "app"),
    ]
    recording = read("export.xml", export(*parts), study)
    stages = events(recording, "sleep")
    assert list(stages.values())[:-1] == [5, 1, 2, 4, 5]
    assert [t[11:16] for t in stages] == ["23:00", "00:00", "02:00", "03:00", "03:30", "06:00"]
    daily = {n: v for _, _, n, v in recording.daily.rows()}
    assert daily["sleep_minutes_asleep"] == 210
    assert daily["sleep_minutes_deep"] == 60


def test_a_zip_as_the_phone_writes_it_is_read_without_its_routes(study: Study) -> None:
    files = {
        "apple_health_export/export.xml": export(record("HeartRate", "2026-01-31 09:15:00 +0100", "61")),
        "apple_health_export/export_cda.xml": b'<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>',
        "apple_health_export/workout-routes/route_1.gpx": b'<?xml version="1.0"?><gpx><trkpt lat="52" lon="13"/></gpx>',
    }
    recording = read("export.zip", zipped(files), study)
    assert list(events(recording, "hr").values()) == [61]
    said = next(r for r in recording.remarks if r.startswith("2 of 3 files in the archive left out"))
    assert "positions are never read" in said
    assert "Apple Health writes the same into export.xml" in said


def test_entities_are_refused_wherever_they_are_declared(study: Study) -> None:
    laughs = DTD.replace("<!ELEMENT Record", '<!ENTITY a "ha"><!ENTITY b "&a;&a;">\n<!ELEMENT Record')
    with pytest.raises(DumpError, match="nothing was expanded"):
        read("export.xml", export(dtd=laughs), study)
    outside = '<!DOCTYPE HealthData SYSTEM "file:///etc/passwd">\n<!DOCTYPE x [<!ENTITY a "b">]>\n'
    with pytest.raises(DumpError, match=r"refused|damaged"):
        read("export.xml", export(dtd=outside), study)


def test_damage_costs_the_damaged_record_only(study: Study) -> None:
    good = [record("HeartRate", f"2026-01-31 09:15:0{n} +0100", f"{60 + n}") for n in range(4)]
    broken = good[1].replace('value="61"', 'value="61" value="62"')
    recording = read("export.xml", export(good[0], broken, good[2], ' <Record type="\x03"/>\n', good[3]), study)
    assert list(events(recording, "hr").values()) == [60, 62, 63]
    assert recording.remarks[0] == "2 damaged places in its XML skipped, or its end is missing"
    cut = read("export.xml", export(*good)[:-40], study)
    assert list(events(cut, "hr").values()) == [60, 61, 62]
    with pytest.raises(DumpError, match="damaged before its first record"):
        read("export.xml", export()[:-60], study)


def test_an_element_without_end_is_refused_before_it_fills_the_memory() -> None:
    class Endless(io.RawIOBase):
        begun = False

        def read(self, size: int = -1) -> bytes:
            begun, self.begun = self.begun, True
            return b"a" * size if begun else b'<HealthData><Record type="'

    with pytest.raises(DumpError, match="does not end within 32 MB"):
        stream_elements(Endless(), lambda *_: None)  # type: ignore[arg-type]
