"""The report's sections as plain values and charts: for the coordinator, the scientist and the person on call.

Each function takes the report's material and returns what the template shows; it decides what deserves a line and
what a warning. No reading, no HTML of its own: charts come as finished SVG.
"""

from __future__ import annotations

from datetime import date as Date
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
from markupsafe import Markup

from assets.learning import honest_table
from assets.monitoring import charts
from assets.monitoring.advice import advice
from assets.monitoring.curves import night_curves, timeline
from assets.monitoring.days import DAYS, SHOWN_DAYS
from assets.monitoring.drawing import AS_VARIABLES, inline
from assets.monitoring.drift import nightly_shift
from assets.monitoring.history import PROTOCOL, lifts_of
from assets.monitoring.panel import panel_of
from assets.monitoring.people import changes
from assets.monitoring.tables import FEATURES, YIELDS
from assets.monitoring.yields import ACTIVITIES, Silence, State, grid, silences, totals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from assets.monitoring.report import Material

MOST_ROWS = 40
STALE = timedelta(hours=26)  # a night and a little: older work that still waits means that a night did not do it


def summary(material: Material) -> list[tuple[str, str]]:
    """The report in a few lines, each with its level: good, note or bad."""
    stopped = [s for s in _silences(material) if s.state is State.STOPPED]
    refused = material.dumps.filter(pl.col("state") == "quarantined").height
    drifted = material.drift.filter("drifted")
    failed, champion = material.operations.failed, next((n for n in material.nights if n.champion), None)
    lines = []
    if failed:
        lines.append(("bad", f"{len(failed)} step{_s(failed)} of the last night failed: {failed[-1].name}"))
    elif material.operations.runs:
        lines.append(("good", "The last night worked"))
    people = material.daily["participant"].n_unique()
    lines.append(("good" if people else "note", f"{people} participants have given data"))
    if stopped:
        lines.append(("note", f"{len({s.participant for s in stopped})} stopped wearing, speaking or answering"))
    if refused:
        lines.append(("note", f"{refused} dump{'s' if refused > 1 else ''} in quarantine"))
    lines += [("bad", f"Drift in {d['feature']} since {d['since']} ({d['group']})") for d in drifted.to_dicts()]
    if champion:
        lines.append(("good", f"Champion: version {champion.version}, from {champion.answers} self-reports"))
    else:
        lines.append(
            ("note", "No champion yet, so nobody gets an estimate: the versions below say what the gate found")
        )
    return lines


def coordinator(material: Material) -> dict[str, Any]:
    """Data yield, silences, quarantine."""
    daily, last = material.daily, _last(material)
    shown = daily.filter(pl.col("date") > last - timedelta(days=60))
    present = [m for m, (column, _) in YIELDS.items() if daily[column].sum()]
    refused = material.dumps.filter(pl.col("state") == "quarantined").sort("received_us", descending=True)
    quiet = [s for s in _silences(material) if s.state is not State.GIVING]
    return {
        "totals": _svg(charts.totals_chart(totals(shown), AS_VARIABLES), "Data given a day") if present else None,
        "maps": [(m, _svg(_heat(material, m, last), f"{m} by day")) for m in present],
        "days": _days(material),
        "waiting_days": material.days.waiting,
        "silences": [_silence(s, material) for s in quiet if s.state is State.STOPPED],
        "gone": [_silence(s, material) for s in quiet if s.state in {State.GONE, State.NEVER}],
        "quarantine": [
            {"path": row["path"], "reason": row["reason"] or "", "received": _day(row["received_us"], material)}
            | {"look": _page(material, row["participant"])}
            for row in refused.head(MOST_ROWS).iter_rows(named=True)
        ],
        "more_quarantined": max(0, refused.height - MOST_ROWS),
        "states": dict(material.dumps["state"].value_counts(sort=True).iter_rows()),
    }


def scientist(material: Material) -> dict[str, Any]:
    """Models, lift, coverage, drift, people."""
    curves = night_curves(material.nights, material.study.gate.coverage, AS_VARIABLES)
    lifts = lifts_of(material.people)
    return {
        "protocol": PROTOCOL,
        "curves": [(title, _svg(figure, title)) for title, figure in curves.items()],
        "nights": [vars(n) | {"lift": n.gate_figures.get("lift")} for n in reversed(material.nights)][:MOST_ROWS],
        "tables": _tables(material.evaluation),
        "header": honest_table.HEADER,
        "people": _svg(charts.people_chart(lifts, AS_VARIABLES), "Lift per person") if len(lifts) else None,
        "improved": float((lifts > 0).mean()) if len(lifts) else None,
        "drift": [row | {"chart": _drift_chart(material, row)} for row in material.drift.filter("drifted").to_dicts()],
        "watched": material.drift.height,
        "changes": _changes(material),
    }


def on_call(material: Material) -> dict[str, Any]:
    """Freshness, the last night's timeline, failures and what to do, sizes."""
    found, zone = material.operations, ZoneInfo(material.study.timezone)
    drawn = timeline(found, zone, AS_VARIABLES)
    stages = [
        {
            "name": s.name.replace("_", " "),
            "last": f"{s.last.astimezone(zone):%Y-%m-%d %H:%M}" if s.last else "never",
            "waiting": s.waiting,
            "stale": bool(s.waiting and s.last and material.now - s.last > STALE),
        }
        for s in found.stages
    ]
    return {
        "stages": stages,
        "timeline": _svg(drawn, "The last night's steps") if drawn else None,
        "failed": [{"step": s.name, "kind": s.error, "do": advice(s.error or "")} for s in found.failed],
        "runs": [
            {
                "id": r.run_id[:8],
                "job": r.job,
                "start": f"{r.start.astimezone(zone):%Y-%m-%d %H:%M:%S}",
                "status": r.status,
            }
            | {"seconds": round((r.end - r.start).total_seconds()) if r.end else None}
            for r in found.runs
        ],
        "sizes": material.sizes,
    }


def _changes(material: Material) -> list[dict[str, Any]]:
    """People who changed by themselves: a feature that drifted for many says nothing of any one of them."""
    moved = set(material.drift.filter("drifted")["feature"])
    own = tuple(f for f in FEATURES if f not in moved)
    return changes(panel_of(material.daily, _last(material), own), own)


def _heat(material: Material, modality: str, last: Date) -> Figure:
    found = grid(material.daily, modality, last, SHOWN_DAYS)
    links = {day: f"{DAYS}/{name}" for day, name in material.days.links.items()}
    return charts.heat_map(found, f"{modality}, {found.unit} a day", AS_VARIABLES, links)


def _days(material: Material) -> list[dict[str, Any]]:
    """The days that can be looked at, for each participant the newest first."""
    found: dict[str, list[tuple[Date, str]]] = {}
    for (participant, day), name in sorted(material.days.links.items(), key=lambda link: link[0][1], reverse=True):
        found.setdefault(participant, []).append((day, f"{DAYS}/{name}"))
    return [{"participant": participant, "days": found[participant]} for participant in sorted(found)]


def _page(material: Material, participant: str | None, until: Date = Date.max) -> str | None:
    """The page of a participant's last day up to a date that can be looked at."""
    days = [day for day in material.days.links if day[0] == participant and day[1] <= until]
    return f"{DAYS}/{material.days.links[max(days)]}" if days else None


def _drift_chart(material: Material, row: dict[str, Any]) -> Markup:
    days, means = nightly_shift(material.daily, _last(material), row["feature"], row["group"], row["since"])
    chart = charts.lines_chart(days, {row["feature"]: means}, "own SDs", AS_VARIABLES, since=row["since"])
    return _svg(chart, f"{row['feature']} by night")


def _tables(evaluation: pl.DataFrame) -> dict[str, list[list[str]]]:
    """Per protocol: lines of models under `honest_table.HEADER`."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for protocol, model, figure, value in evaluation.select("protocol", "model", "figure", "value").iter_rows():
        found.setdefault(protocol, {}).setdefault(model, {})[figure] = value
    return {protocol: honest_table.rows(models) for protocol, models in found.items()}


def _silences(material: Material) -> list[Silence]:
    given = {a for a, (column, _) in ACTIVITIES.items() if material.daily[column].sum()}
    known = material.dumps["participant"].drop_nulls().unique().to_list()
    return [s for s in silences(material.daily, material.until, known) if s.activity in given]


def _silence(found: Silence, material: Material) -> dict[str, Any]:
    told = {"participant": found.participant, "what": found.activity, "since": found.since, "days": found.days}
    before = found.since - timedelta(days=1) if found.since else None
    return told | {"look": _page(material, found.participant, before) if before else None}


def _last(material: Material) -> Date:
    """The last whole day: yesterday, or the last with data."""
    return material.until - timedelta(days=1)


def _day(time_us: int | None, material: Material) -> str:
    if time_us is None:
        return ""
    return f"{datetime.fromtimestamp(time_us / 1e6, ZoneInfo(material.study.timezone)):%Y-%m-%d}"


def _svg(figure: Figure, alt: str) -> Markup:
    return Markup(inline(figure, alt))  # noqa: S704  # our own drawing; its texts are escaped by the SVG writer


def _s(things: Any) -> str:
    return "s" if len(things) != 1 else ""
