"""How a study, a night, an estimate and an evaluation look on a terminal. Printing only: the values come ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.learning.honest_table import AGREEMENT, ERROR, HEADER, ITEM_HEADER, between, by_item, leaves, rows
from assets.monitoring.sizes import human_size
from assets.study import Home
from pipeline.terminal import show_lines

if TYPE_CHECKING:
    from pipeline.night import Outcome

UNITS = {
    "recordings": "recordings",
    "physiology": "body features",
    "summaries": "daily summaries",
    "acoustic": "voice features",
    "voice_details": "voice details",
    "voice_embeddings": "voice embeddings",
}
ASKED_FOR = {"voice_details", "voice_embeddings"}  # only some studies have them
FIRST_ROWS = 40


def show_night(console: Console, home: Home, outcome: Outcome, found: Mapping[str, Any], table: Any) -> None:
    """The end of a night: what came, what was computed, how good the model is, and where to look."""
    console.rule("[bold]The night")
    lines = _lines()
    lines.add_row("dumps", _counts(found["dumps"]))
    for unit, name in UNITS.items():
        done, kept = outcome.computed.get(unit, 0), outcome.unchanged.get(unit, 0)
        if unit in ASKED_FOR and not done and not kept:
            continue
        lines.add_row(name, f"{done} participant-days computed, {kept} up to date before")
    lines.add_row("answers", f"{found['answers']} items answered by {found['participants']} people")
    _add_models(lines, found)
    console.print(lines)
    if table:
        show_evaluation(console, {"P2": table["P2"]} if "P2" in table else table)
    flag = f"--home {home.root} "
    console.print(
        f"Look: [bold]macromicro {flag}ui[/] for the pages, [bold]predict PARTICIPANT[/] for one person, "
        f"[bold]dumps --state quarantined[/] for what was refused.\nLog: {outcome.log}",
        highlight=False,
        soft_wrap=True,
    )


def show_overview(console: Console, found: Mapping[str, Any]) -> None:
    """The study at a glance."""
    lines, days, night = _lines(), found["days"], found["last_night"]
    lines.add_row("study", f"{escape(found['study'])}   {found['home']}")
    lines.add_row("participants", str(found["participants"]))
    lines.add_row("dumps", _counts(found["dumps"]) or "none: the inbox is empty or no night has run")
    lines.add_row("days", f"{days['participant_days']} participant-days" + _span(days["first"], days["last"]))
    lines.add_row("answers", f"{found['answers']} items answered")
    lines.add_row("schedule", found["schedule"] or "switched off in study.toml")
    lines.add_row("last night", f"{night['state']}, ended {night['ended'] or 'not yet'}" if night else "none yet")
    if found["running_now"]:
        lines.add_row("now", found["running_now"])
    _add_models(lines, found)
    lines.add_row("size", _sizes(found["sizes"]))
    if found["lake_sizes"]:
        lines.add_row("of the lake", _sizes(found["lake_sizes"]))
    console.print(lines)


def _sizes(found: Mapping[str, int]) -> str:
    return ", ".join(f"{escape(name)} {human_size(count)}" for name, count in found.items()) or "nothing yet"


def show_estimate(console: Console, said: Mapping[str, Any]) -> None:
    """One person's estimates with their intervals."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{said['participant']}, {said['day']}", title_justify="left")
    for name in ("item", "estimate", f"{said['coverage']:.0%} interval", "moved most by"):
        table.add_column(name, justify="left" if name in {"item", "moved most by"} else "right")
    for item in said["items"]:
        interval = f"{item['low']:.1f} – {item['high']:.1f}"
        table.add_row(item["item"], f"{item['value']:.1f}", interval, _why(item["why"]))
    console.print(table)
    who = "known to the model" if said["known_person"] else "new: the model has learned from no answer of this person"
    if not said["in_study"]:
        who = "nobody of this code is in the study: what follows is for anyone of whom nothing is known"
    console.print(f"{said['participant']} is {who}." if said["in_study"] else f"[yellow]{who}[/]", highlight=False)
    last = f", the last at {said['last_answer']}" if said["last_answer"] else ""
    console.print(f"From {said['answers_before']} earlier answers{last}.", highlight=False)
    console.print(f"macro-micro version {said['model_version']}, updated {said['updated']}.", highlight=False)


def _why(moved: Mapping[str, float]) -> str:
    """The parts that moved an estimate most, those that moved it by less than a tenth of a unit left out."""
    most = sorted(moved.items(), key=lambda part: -abs(part[1]))[:3]
    return ", ".join(f"{name} {value:+.1f}" for name, value in most if abs(value) >= 0.1)


def show_evaluation(console: Console, table: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Models and baselines side by side, one table a protocol, best pooled CCC first."""
    for protocol, by_model in table.items():
        show_lines(console, NIGHTLY.get(protocol, protocol), HEADER, rows(by_model), (AGREEMENT, ERROR), _style)
        _show_sentences(console, by_model.get("macro_micro", {}))
        _show_without(console, by_model.get("macro_micro", {}).get("without", {}))


def show_items(console: Console, table: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """The model's items side by side, one table a protocol, best pooled CCC first."""
    for protocol, by_model in table.items():
        title = f"macro micro by item, {NIGHTLY.get(protocol, protocol)}"
        show_lines(console, title, ITEM_HEADER, by_item(by_model), (AGREEMENT, ERROR))


def _style(line: Sequence[str]) -> str:
    return "bold" if line[0] == "macro micro" else ""


def _show_sentences(console: Console, found: Mapping[str, Any]) -> None:
    """What of the model the table has no room for: its gain within people, and how many answers intervals hold."""
    told, within = dict(leaves(found)), "person_ccc_over_ewma"
    if told.get("coverage") is None:
        return
    if told.get(f"{within}.mean") is not None:
        more = between(told, f"{within}.mean", f"{within}.ci")
        console.print(f"Within people its CCC lies {more} above the EWMA's.", highlight=False)
    share, worst = (between(told, name, f"{name}_ci", 1, 100) for name in ("coverage", "coverage_worst_decile"))
    console.print(
        f"Intervals hold {share} % of the answers,\n{worst} % for the tenth of people held worst.", highlight=False
    )


def _show_without(console: Console, without: Mapping[str, Mapping[str, Any]]) -> None:
    """What each modality adds to the model: how much worse it says where that one was not measured."""
    lines = []
    for name, loss in without.items():
        told = dict(leaves(loss))
        rises, falls = told["mae.ci.low"], told["ccc.ci.low"]
        if rises is None or falls is None:  # of one person
            continue
        cells = between(told, "mae.mean", "mae.ci", 2, 100), between(told, "ccc.mean", "ccc.ci")
        lines.append((name.replace("_", " "), *cells, "helps" if rises > 0 and falls > 0 else "no gain shown"))
    if lines:
        show_lines(console, "macro micro without …", WITHOUT, lines, [range(len(WITHOUT))])
        note = "0: not read. The tables' model has the first four fifths of the answers and may read others."
        console.print(note, style="dim")


WITHOUT = ("not measured", "error rises by, % of scale (95 %)", "CCC falls by (95 %)", "")
NIGHTLY = {
    "P2": "P2: each later answer from everything before it",
    "P2N": "P2N: each later answer from what was known the evening before",
}


def _add_models(lines: Table, found: Mapping[str, Any]) -> None:
    champion, challenger = found["champion"], found["challenger"]
    if champion is None and challenger is None:
        lines.add_row("model", "none yet")
        return
    newest = challenger or champion
    lines.add_row("champion", _version(champion) if champion else "none yet: no version has passed the gate")
    if challenger and (champion is None or challenger["version"] != champion["version"]):
        lines.add_row("challenger", _version(challenger))
    if newest.get("training"):
        lines.add_row("training", f"{newest['training']} night: {escape(newest.get('training_reason', ''))}")
    if newest.get("note"):
        lines.add_row("note", f"[yellow]{escape(newest['note'])}[/]")
    if newest.get("gate"):
        lines.add_row("gate", f"{newest['gate']} version {newest['version']}: {escape(newest.get('gate_reason', ''))}")


def _version(said: Mapping[str, Any]) -> str:
    until, base = said.get("trained_until", "?"), said.get("macro_version")
    made = f", updated from version {base}" if base else ""
    return f"macro-micro version {said['version']}{made}, from {said.get('answers', '?')} self-reports up to {until}"


def _lines() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in states.items())


def _span(first: str | None, last: str | None) -> str:
    return f", {first} … {last}" if first else ""
