"""The days' own pages: `reports/days/<participant>_<date>.html`, to which a click in the night's report leads.

A page is a picture of everything the lake holds of that participant-day, one file without outside requests. It says
which inputs it was drawn from, so that a night draws only what is new or changed: first the last day of everyone who
stopped, then the newest. A night draws a few dozen at most; what it leaves is drawn by the next ones. Pages are health
data, like the lake: they stay in the home. The picture itself is `assets/features/picture_day.py`.
"""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import timedelta
from pathlib import Path

import polars as pl

from assets.ledger import digest
from assets.monitoring.sizes import FOLDER
from assets.study import Home, Study
from assets.workers import fan_out

CODE = "1"
SHOWN_DAYS = 28  # what the report's heat maps show
LARGEST_PICTURE = 110_000  # bytes of the PNG inside
DAYS = "days"
_DRAWN_FROM = re.compile(rb'<meta name="drawn-from" content="([0-9a-f]+)">')
_SORRY, SMALLEST_DRAWN = "This day could not be drawn", 4_000
_HEAD = 1_000  # bytes in which a page says what it was drawn from

Day = tuple[str, Date]
"""A participant's study code and their local day."""
Draw = Callable[[Home, Study, str, Date], bytes]


@dataclass(frozen=True)
class DayPages:
    """What there is to click on: file names by participant-day, and what this night did for it."""

    links: Mapping[Day, str] = field(default_factory=dict)
    made: int = 0
    waiting: int = 0
    failed: tuple[Day, ...] = ()


@dataclass(frozen=True)
class _Task:
    home: Home
    study: Study
    participant: str
    day: Date
    inputs: str
    draw: Draw


def refresh_days(
    home: Home, study: Study, daily: pl.DataFrame, last: Date, flagged: Iterable[Day] = (), draw: Draw | None = None
) -> DayPages:
    """Draw the pages that are missing or out of date, as many as a night may.

    Args:
        home: the data home.
        study: its settings; `report.day_pages` is how many at most.
        daily: rows of `daily` with `participant`.
        last: the last day that the report shows.
        flagged: days to draw first, also older ones than the report shows.
        draw: makes the PNG of a day.
    """
    first = list(dict.fromkeys(flagged))
    wanted = _wanted(daily, last, first)
    folder = home.root / FOLDER / DAYS
    current = {day for day, inputs in wanted.items() if drawn_from(folder / page_name(day)) == inputs}
    due = [day for day in by_urgency(wanted, first) if day not in current]
    tasks = [_Task(home, study, *day, wanted[day], draw or draw_day) for day in due[: study.report.day_pages]]
    made, failed = set(), []
    for task, result in fan_out(_work, tasks, what="days", preload=_preload, quiet=True):
        day = task.participant, task.day
        if isinstance(result, Exception):
            # Said on the page itself, which stays until the day changes: it would fail again every night.
            failed.append(day)
            write_page(
                folder, day, wanted[day], FAILED.format(kind=type(result).__name__, participant=day[0], day=day[1])
            )
        made.add(day)
    # A page drawn from other inputs than now is out of date: it is no link, and the next nights draw it again.
    links = {day: page_name(day) for day in wanted if day in current or day in made}
    return DayPages(links, len(made) - len(failed), len(due) - len(made), tuple(failed))


def by_urgency(days: Collection[Day], flagged: Sequence[Day]) -> list[Day]:
    """Flagged days in their order, then the newest."""
    rank = {day: n for n, day in enumerate(flagged)}
    return sorted(days, key=lambda day: (rank.get(day, len(rank)), -day[1].toordinal(), day[0]))


def page_name(day: Day) -> str:
    """The file of a participant-day's page; study codes hold nothing that a file name may not."""
    return f"{day[0]}_{day[1]:%Y-%m-%d}.html"


def drawn_from(page: Path) -> str | None:
    """What a page was drawn from; None where there is none, or none of ours."""
    try:
        with page.open("rb") as file:
            found = _DRAWN_FROM.search(file.read(_HEAD))
    except FileNotFoundError:
        return None
    return found.group(1).decode() if found else None


def could_not_be_drawn(page: Path) -> bool:
    """Whether a page says that its day could not be drawn."""
    return page.stat().st_size < SMALLEST_DRAWN and _SORRY in page.read_text(encoding="utf-8")


def draw_day(home: Home, study: Study, participant: str, day: Date) -> bytes:
    """The picture of a day as PNG."""
    from assets.features.day_frames import day_frames
    from assets.features.picture_day import picture_day, png

    return png(picture_day(day_frames(home, study, participant, day)), LARGEST_PICTURE)


def write_page(folder: Path, day: Day, inputs: str, body: str) -> None:
    """Put a day's page into place, in one step.

    Args:
        folder: where the pages lie.
        day: whose and which.
        inputs: what it was drawn from.
        body: the page's HTML between its title and its foot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / page_name(day)
    draft = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    title = html.escape(f"{day[0]} · {day[1]:%A, %d %B %Y}")
    draft.write_text(_PAGE.format(inputs=inputs, title=title, body=body), encoding="utf-8")
    draft.replace(path)


def _wanted(daily: pl.DataFrame, last: Date, flagged: Sequence[Day]) -> dict[Day, str]:
    """Days with something to see, and the hash of what each is drawn from: those shown, and those flagged."""
    seen = daily.filter((pl.col("recorded_h").fill_null(0) > 0) | (pl.col("clips").fill_null(0) > 0))
    shown = last - timedelta(days=SHOWN_DAYS - 1)
    rows = seen.select("participant", "date", "inputs").iter_rows()
    marked = set(flagged)
    return {(p, d): digest(CODE, inputs) for p, d, inputs in rows if shown <= d <= last or (p, d) in marked}


def _preload() -> None:
    from matplotlib.backends import backend_agg  # noqa: F401

    from assets.features import picture_day  # noqa: F401


def _work(task: _Task) -> None:
    """Draw and write one page (runs in a worker)."""
    picture = task.draw(task.home, task.study, task.participant, task.day)
    body = _DRAWN.format(picture=base64.b64encode(picture).decode())
    write_page(task.home.root / FOLDER / DAYS, (task.participant, task.day), task.inputs, body)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="drawn-from" content="{inputs}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; padding: .8rem; font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  background: light-dark(#fbfbfa, #14161a); color: light-dark(#1f2430, #e6e8ec); }}
h1 {{ font-size: 1.2rem; margin: .2rem 0 .6rem; }} a {{ color: light-dark(#2b6cb0, #7fb4ee); }}
div {{ overflow-x: auto; }} img {{ width: 100%; min-width: 44rem; max-width: 62rem; border-radius: .4rem; }}
p {{ font-size: .9rem; }}
</style>
</head>
<body>
<p><a href="../latest.html#coordinator">← report</a></p>
<h1>{title}</h1>
{body}
</body>
</html>
"""
_DRAWN = """<div>
<img alt="signals, heart, skin, movement and answers of the day" src="data:image/png;base64,{picture}">
</div>
<p>Grey: nothing was recorded. Red strips: recorded and not used. Vertical lines: self-reports. Health data: keep this
page where the study's data is kept.</p>"""
FAILED = """<p>This day could not be drawn ({kind}). Why: <code>macromicro show {participant} {day}</code>.
Everything else went on without; the page is drawn again when the day's data changes.</p>"""
