"""The picture of a day: drawn from the lake, small enough for the event log, honest about what is missing."""

from datetime import date as Date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.errors import FeatureError
from assets.features.day_frames import day_frames
from assets.features.physiology import PHYSIOLOGY, wanted_physiology
from assets.features.picture_day import picture_day, png
from assets.features.summary import SUMMARY_UNIT, wanted_summaries
from assets.lake import Key, Lake
from assets.study import Home, Study
from assets.tables import SELF_REPORTS, VOICE_CLIPS
from assets.units import run_unit
from pipeline.cli import app
from tests.assets.features.builders import START
from tests.assets.features.test_unit import record

DAY = Date(2023, 11, 15)
MORNING = START + 10 * 3_600_000_000


@pytest.fixture
def seen(home: Home, study: Study, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with a recorded day, two self-reports in it and a voice clip."""
    monkeypatch.setenv("MACROMICRO_WORKERS", "1")
    record(home, "P001", 0)
    run_unit(PHYSIOLOGY, home, study, wanted_physiology(home, study), quiet=True)
    run_unit(SUMMARY_UNIT, home, study, wanted_summaries(home, study), quiet=True)
    answers = [
        {"time_us": MORNING + minute * 60_000_000, "item": item, "value": value, "dump": "d"}
        for minute, item, value in ((4, "happy", 70.0), (4, "gloomy", 0.0), (11, "happy", 100.0))
    ]
    clip = {"time_us": MORNING + 5 * 60_000_000, "duration_s": 3.0, "peak": 0.5, "clipped": 0.0, "dump": "d"}
    lake, key = Lake(home.lake), Key("P001", DAY)
    lake.write(SELF_REPORTS, SELF_REPORTS.frame(answers), key)
    lake.write(VOICE_CLIPS, VOICE_CLIPS.frame([clip]), key)
    return home


def test_a_day_has_signals_windows_answers_and_clips_on_one_clock(seen: Home, study: Study) -> None:
    day = day_frames(seen, study, "P001", DAY)
    assert day.answers.sort("time_us", "item")["value"].to_list() == pytest.approx([0.0, 0.7, 1.0])
    assert day.answers["item"].unique(maintain_order=True).to_list() == ["gloomy", "happy"]  # in the study's order
    assert sum(len(s.responses.peak) for s in day.stretches) == 3
    figure = picture_day(day)
    shared = {axes.get_xlim() for axes in figure.axes}
    assert len(shared) == 1
    said = [axes.get_title(loc="left") for axes in figure.axes]
    assert any("3 responses" in text for text in said)
    assert any("beats" in text for text in said)
    lanes = [label.get_text() for label in figure.axes[6].get_yticklabels()]
    assert lanes == ["gloomy", "happy", "voice clip"]
    clock = [label.get_text() for label in figure.axes[6].get_xticklabels()]
    assert clock[:2] == ["11:00", "11:05"]  # Berlin in winter


def test_no_two_labels_of_the_clock_touch(seen: Home, study: Study) -> None:
    figure = picture_day(day_frames(seen, study, "P001", DAY))
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[6].get_xticklabels() if label.get_text()]
    assert all(not a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[n + 1 :])


def test_the_picture_for_the_log_is_a_small_png(seen: Home, study: Study) -> None:
    data = png(picture_day(day_frames(seen, study, "P001", DAY)), most_bytes=70_000)
    assert data.startswith(b"\x89PNG")
    assert len(data) <= 70_000


def test_a_day_of_answers_alone_can_be_looked_at(seen: Home, study: Study) -> None:
    report = {"time_us": MORNING, "item": "happy", "value": 50.0, "dump": "d"}
    Lake(seen.lake).write(SELF_REPORTS, SELF_REPORTS.frame([report]), Key("P002", DAY))
    day = day_frames(seen, study, "P002", DAY)
    assert day.minutes.is_empty()
    assert picture_day(day).axes


def test_a_day_that_holds_nothing_says_which_days_there_are(seen: Home, study: Study) -> None:
    with pytest.raises(FeatureError, match="nothing of P001 on 2023-11-20. There is data of 1 days, 2023-11-15"):
        day_frames(seen, study, "P001", Date(2023, 11, 20))
    with pytest.raises(FeatureError, match="nothing of P009"):
        day_frames(seen, study, "P009", DAY)


def test_the_command_writes_the_picture_and_says_where(seen: Home, tmp_path: Path) -> None:
    from pipeline.template import study_text

    seen.study_file.write_text(study_text("s", "Europe/Berlin"))
    out = tmp_path / "day.png"
    done = CliRunner().invoke(app, ["--home", str(seen.root), "show", "P001", "2023-11-15", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "day.png" in done.output.replace("\n", "")
    wrong = CliRunner().invoke(app, ["--home", str(seen.root), "show", "P001", "15.11.2023"])
    assert wrong.exit_code != 0
