import json
import re
import shutil
import subprocess
import xml.dom.minidom
from dataclasses import replace
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from assets.lake import Key, Lake
from assets.learning.tables import PREQUENTIAL
from assets.monitoring.charts import lines_chart
from assets.monitoring.days import DayPages
from assets.monitoring.history import Night, model_history, person_lifts
from assets.monitoring.report import gather, looked_back_from, render, write_report
from assets.monitoring.sections import scientist, summary
from assets.monitoring.sizes import human_size
from assets.monitoring.tables import DAILY, DRIFT, RETIRED
from assets.study import Home, Study
from models.registry import Registry
from tests.assets.monitoring.material import ZONE, busy, drift_row, empty
from tests.assets.monitoring.rows import FIRST, day, days


class Page(HTMLParser):
    """What a page asks of others, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        asks = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}
        self.asked += [value or "" for name, value in attrs if name in asks]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    items = {"happy": {}}
    material = busy(Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": items}))
    return render(replace(material, days=DayPages({("P02", FIRST + timedelta(days=34)): "P02_2026-04-05.html"})))


def test_a_report_asks_nothing_of_the_network(page: str) -> None:
    asked = [a for a in Page(page).asked if not a.startswith(("#", "data:image/png;base64,", "days/"))]
    assert asked == []
    assert "url(http" not in page
    assert "@import" not in page
    assert "<script" not in page


def test_a_report_reads_the_readers_light_or_dark_setting(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"#0102f\d", page), "a stand-in colour was left over"
    drawn = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    used = {name for svg in drawn for name in re.findall(r"var\(--(\w+)\)", svg)}
    assert used <= {"ink", "faint", "ground", "first", "second", "third", "good", "bad"}
    assert {"ink", "first"} <= used


def test_a_report_fits_a_phone(page: str) -> None:
    assert 'name="viewport" content="width=device-width' in page
    assert len(page.encode()) < 2_000_000


def test_every_chart_is_well_formed_and_says_what_it_shows(page: str) -> None:
    drawn = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawn) >= 8
    for svg in drawn:
        named = svg.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)
        xml.dom.minidom.parseString(named)  # noqa: S318  # our own drawing
        assert "<title>" in svg


def test_ids_of_different_charts_do_not_meet(page: str) -> None:
    drawn = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    clips = [set(re.findall(r'<clipPath id="([^"]+)"', svg)) for svg in drawn]
    assert sum(map(len, clips)) == len(set().union(*clips))


def test_the_report_says_what_happened(page: str) -> None:
    text = " ".join(Page(page).text.split())
    assert "1 step of the last night failed: physiology" in text
    assert "Drift in temperature.temp_c since 2026-04-01 (everyone)" in text
    assert "1 stopped wearing, speaking or answering" in text
    assert "1 dump in quarantine" in text
    assert "Champion: version 4" in text
    assert "failed with LakeError. The lake refused a write" in text
    assert "3 – late" in text


def test_what_files_are_called_cannot_change_the_page(page: str) -> None:
    assert "P02/&lt;b&gt;.zip" in page
    assert "no &lt;zip&gt;" in page


def test_an_empty_home_has_a_report(study: Study) -> None:
    text = Page(render(empty(study))).text
    assert "Nobody has given anything yet." in text
    assert "No champion yet" in text


def test_models_are_listed_best_first(study: Study) -> None:
    assert [line[0] for line in scientist(busy(study))["tables"]["P2N"]] == ["macro micro", "ewma", "global mean"]


def test_a_person_is_not_said_to_have_changed_by_what_drifted_for_everybody(study: Study) -> None:
    assert scientist(busy(study))["changes"] == []


def test_a_person_whose_week_stands_out_is_named_with_the_feature(study: Study) -> None:
    material = busy(study)
    last_week = (pl.col("participant") == "P03") & (pl.col("date") > material.until - timedelta(days=8))
    faster = pl.when(last_week).then(95.0).otherwise(60 + pl.col("worn_h"))
    changed = replace(material, daily=material.daily.with_columns(faster.alias("hrv.hr_bpm")))
    [found] = scientist(changed)["changes"]
    assert (found["participant"], found["feature"]) == ("P03", "hrv.hr_bpm")


def test_a_failure_that_a_later_run_mended_is_no_failure(study: Study) -> None:
    material = busy(study)
    failed = material.operations.steps[1]
    mended = replace(failed, start=failed.end, end=failed.end + timedelta(minutes=5), error=None)
    operations = replace(material.operations, steps=(*material.operations.steps, mended))
    assert ("good", "The last night worked") in summary(replace(material, operations=operations))


def test_a_study_that_is_over_is_looked_at_from_its_end() -> None:
    frame = days(day("P1", 0))
    assert looked_back_from(frame, FIRST + timedelta(days=20)) == FIRST + timedelta(days=20)
    assert looked_back_from(frame, FIRST + timedelta(days=90)) == FIRST + timedelta(days=1)


def test_a_click_on_a_cell_and_on_who_stopped_leads_to_the_day(study: Study) -> None:
    stopped, other = ("P00", FIRST + timedelta(days=19)), ("P02", FIRST + timedelta(days=34))
    links = {day: f"{day[0]}_{day[1]}.html" for day in (stopped, other)}
    page = render(replace(busy(study), days=DayPages(links)))
    asked = [a for a in Page(page).asked if a.startswith("days/")]
    # Four heat maps, three activities that stopped, one dump in quarantine, and the list of days.
    assert asked.count("days/P00_2026-03-21.html") == 4 + 3 + 1
    assert asked.count("days/P02_2026-04-05.html") == 4 + 1 + 1


def test_the_middle_of_a_framed_cell_is_where_one_clicks(page: str, tmp_path: Path) -> None:
    """Asked of a real browser: what lies under the pointer there."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium on this machine")
    ask = """<script>const cell = document.querySelector("svg a path"); cell.scrollIntoView({block: "center"});
      const box = cell.getBoundingClientRect();
      const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).closest("a");
      document.title = hit ? hit.getAttribute("xlink:href") : "nothing";</script></body>"""
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    (tmp_path / "asked.html").write_text(policy.sub("", page).replace("</body>", ask))
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={tmp_path}/browser"]
    done = subprocess.run(
        [*command, "--dump-dom", (tmp_path / "asked.html").as_uri()], capture_output=True, text=True, check=True
    )
    assert "<title>days/P02_2026-04-05.html</title>" in done.stdout


def test_a_report_of_a_large_study_stays_below_two_megabytes(study: Study) -> None:
    material = busy(study, people=12)
    shown = material.daily.filter(pl.col("date") > material.until - timedelta(days=29))
    newest = sorted(shown.select("participant", "date").iter_rows(), key=lambda d: d[1])[-12 * 28 :]
    page = render(replace(material, days=DayPages({day: f"{day[0]}_{day[1]}.html" for day in newest})))
    assert len(page.encode()) < 2_000_000


def test_a_report_is_written_as_the_nights_and_as_the_latest(home: Home, study: Study) -> None:
    lake = Lake(home.lake)
    lake.write(DAILY, days(day("P1", 0, worn_h=3.0)).drop("participant"), Key("P1"))
    lake.write(DRIFT, DRIFT.frame([drift_row() | {"drifted": False}]), Key(date=FIRST))
    lake.write(DRIFT, DRIFT.frame([drift_row()]), Key(date=FIRST + timedelta(days=1)))
    material = gather(home, study, datetime(2026, 3, 4, 3, tzinfo=ZONE))
    path = write_report(home, material)
    assert path == home.root / "reports" / "2026-03-04.html"
    assert path.read_text() == (path.parent / "latest.html").read_text()
    assert material.drift["drifted"].to_list() == [True]
    assert material.sizes["lake"] > 0
    assert sorted(p.name for p in path.parent.iterdir()) == ["2026-03-04.html", "latest.html"]


def test_lift_is_the_error_spared_in_percent_of_the_scale(home: Home, study: Study) -> None:
    row = {"participant": "P1", "time_us": 1, "item": "happy", "answer": 50.0, "low": 40.0, "high": 49.0}
    rows = [
        row | {"value": 55.0, "baseline": 70.0},
        row | {"time_us": 2, "value": 52.0, "baseline": 51.0, "high": 60.0},
    ]
    Lake(home.lake).write(PREQUENTIAL, PREQUENTIAL.frame(rows))
    assert person_lifts(home, study).rows() == [("P1", 2, pytest.approx((15 - 1) / 2), 0.5)]


def test_a_first_night_is_drawn_at_its_day_and_not_among_years() -> None:
    figure = lines_chart([date(2026, 3, 14)], {"macro_micro": [0.7]}, "pooled CCC")
    first, last = figure.axes[0].get_xlim()
    assert last - first <= 2
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["13", "14", "15"]


def test_retired_versions_stay_in_the_history(home: Home, study: Study) -> None:
    row = {"version": 1, "trained_until": FIRST, "answers": 5, "people": 2, "kind": "baseline", "gate": "promoted"}
    figures = {"P2N.macro_micro.mae": 9.0}
    row |= {"reason": "first", "gate_figures": "{}", "metrics": json.dumps(figures), "retired_us": 1}
    Lake(home.lake).write(RETIRED, RETIRED.frame([row]))
    [night] = model_history(home, Registry(home.mlflow, "study"))
    assert night == Night(1, FIRST, 5, 2, "baseline", "promoted", "first", retired=True, metrics=figures)
    assert night.metric("macro_micro", "mae") == 9.0


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (3.4e8, "340 MB")])
def test_sizes_are_said_for_people(count: int, said: str) -> None:
    assert human_size(int(count)) == said


def test_no_table_of_the_report_holds_answers(page: str) -> None:
    assert "happy" not in page
