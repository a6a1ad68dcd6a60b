"""`macromicro doctor`: what is wrong with a home, and how to mend it. It changes nothing.

Each examination is a small function that looks at one thing and yields findings; an examination that itself fails is a
finding too. Wrong is what stops a night or makes its results untrue; worth a look is what the next night or
house-keeping mends by itself.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from urllib.parse import quote
from zoneinfo import TZPATH, available_timezones

from assets.features.acoustic import ACOUSTIC_UNIT
from assets.features.embedding import VOICE_EMBEDDINGS
from assets.features.physiology import PHYSIOLOGY
from assets.features.summary import SUMMARY_UNIT
from assets.features.voice_details import VOICE_DETAILS
from assets.ingest.recordings import RECORDINGS
from assets.lake import TEMPORARY, Key, Lake
from assets.moments.unit import moments_unit
from assets.monitoring.days import DAYS, could_not_be_drawn
from assets.monitoring.sizes import FOLDER
from assets.study import Home, Study
from assets.tables import Table
from assets.units import Unit, stamped
from models.errors import MacromicroError
from models.registry import CHALLENGER, CHAMPION, MODEL, Registry
from pipeline.lock import holder

LEAST_FREE = 2_000_000_000  # bytes: a night of a cohort writes about this much
LEAST_SHARE = 0.05
OLD_S = 86_400  # a half-written file older than a day has no writer any more
PATIENCE_S = 2.0
PORTS = {"Dagster": 3000, "MLflow": 5000}
UNITS: tuple[Unit, ...] = (RECORDINGS, PHYSIOLOGY, SUMMARY_UNIT, ACOUSTIC_UNIT, VOICE_DETAILS, VOICE_EMBEDDINGS)
MOST_NAMED = 3


class Level(StrEnum):
    """How bad a finding is."""

    WRONG = "wrong"
    LOOK = "worth a look"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, and what to do."""

    level: Level
    what: str
    mend: str


Findings = Iterator[Finding]


def examine(home: Home) -> list[Finding]:
    """Everything that is wrong with a home, the worst first; empty where all is well."""
    found = [*_settings(home)]
    if not found:
        study = home.study()
        for look in EXAMINATIONS:
            try:
                found += look(home, study)
            except Exception as error:  # noqa: BLE001 (what cannot be looked at is a finding; the rest still is)
                said = f"{look.__name__.strip('_').replace('_', ' ')} could not be looked at: {_said(error)}"
                found.append(Finding(Level.WRONG, said, "Mend this first, then ask again."))
    return sorted(found, key=lambda f: list(Level).index(f.level))


def _settings(home: Home) -> Findings:
    """`study.toml` can be read, and says nothing that cannot be."""
    try:
        home.study()
    except MacromicroError as error:
        yield Finding(
            Level.WRONG, str(error), "Correct study.toml; `macromicro init` in another folder shows a whole one."
        )


def _folders(home: Home, study: Study) -> Findings:
    """Folders are there and can be read, and those that the night writes can be written."""
    del study
    for folder in (home.root, home.lake, home.dagster, home.mlflow):
        if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            owner = _owner(folder)
            mend = f"Run as {owner}, or give this user the folder: chown -R $(id -u) {folder}"
            yield Finding(Level.WRONG, f"{folder} cannot be written by this user; it belongs to {owner}.", mend)
    if not home.inbox.is_dir():
        yield Finding(Level.WRONG, f"{home.inbox} is missing.", f"mkdir {home.inbox}")
    elif not os.access(home.inbox, os.R_OK | os.X_OK):
        yield Finding(Level.WRONG, f"{home.inbox} cannot be read by this user.", f"chmod -R u+rX {home.inbox}")
    if home.root.stat().st_mode & 0o007:
        what = f"{home.root} is open to every user of this machine, and holds health data."
        yield Finding(Level.LOOK, what, f"chmod o-rwx {home.root}")


def _disk(home: Home, study: Study) -> Findings:
    """There is room for a night."""
    del study
    usage = shutil.disk_usage(home.root)
    if usage.free < LEAST_FREE or usage.free < LEAST_SHARE * usage.total:
        level = Level.WRONG if usage.free < LEAST_FREE else Level.LOOK
        what = f"The disk of {home.root} has {usage.free / 1e9:.1f} GB left of {usage.total / 1e9:.0f}."
        mend = (
            "Make room. What house-keeping may remove stands in [retention] of study.toml; the inbox may be archived."
        )
        yield Finding(level, what, mend)


def _clock(home: Home, study: Study) -> Findings:
    """Zones are known, and the machine's clock is not behind what the home already holds."""
    if study.timezone not in available_timezones():
        what = f"The data of time zone {study.timezone} is missing (looked in {', '.join(TZPATH) or 'no folder'})."
        yield Finding(Level.WRONG, what, "pip install tzdata")
    newest = max((p.stat().st_mtime for p in home.lake.glob("ledger/**/*.json")), default=0.0)
    if newest > time.time() + OLD_S:
        what = "The machine's clock is more than a day behind what the ledger was written at."
        yield Finding(Level.WRONG, what, "Set the clock (timedatectl); nights belong to dates.")


def _half_written(home: Home, study: Study) -> Findings:
    """No files are left of writers that were killed."""
    del study
    old = [p for p in home.lake.glob(f"**/{TEMPORARY}*") if p.stat().st_mtime < time.time() - OLD_S]
    if old:
        what = f"{len(old)} half-written files of killed runs lie in the lake ({_named(p.name for p in old)})."
        yield Finding(Level.LOOK, what, "Nothing reads them; house-keeping removes them on its weekly day.")


def _cut_parts(home: Home, study: Study) -> Findings:
    """Every part is a whole file."""
    makers = {table.name: unit.name for unit in (*UNITS, moments_unit(study)) for table in unit.tables}
    cut = sorted(Lake(home.lake).cut())
    for name, group in groupby(cut, key=lambda path: path.partition("/")[0]):
        paths = list(group)
        if name in makers:
            mend = (
                f"Remove them, and their people's files in lake/ledger/{makers[name]}/: "
                "the next night computes those days again."
            )
        else:
            mend = "Put back a copy, or remove them: what comes from the inbox the next night makes again."
        yield Finding(Level.WRONG, f"{len(paths)} parts of {name} are damaged ({_named(paths)}).", mend)


def _parts(home: Home, study: Study) -> Findings:
    """Every part has its stamp, and every stamp its parts."""
    del study
    lake = Lake(home.lake)
    for unit in UNITS:
        promised: dict[str, set[Key]] = {table.name: set() for table in unit.tables}
        for key, stamp in stamped(home, unit):
            for name in stamp.outputs:
                promised.setdefault(name, set()).add(key)
        for table in unit.tables:
            yield from _compared(table, set(lake.keys(table)), promised[table.name], unit)


def _compared(table: Table, there: set[Key], promised: set[Key], unit: Unit) -> Findings:
    missing, extra = promised - there, there - promised
    if missing:
        what = f"{len(missing)} parts of {table.name} are stamped but not there ({_days(missing)})."
        mend = (
            f"They were removed by hand or lost. Remove their people's files in lake/ledger/{unit.name}/: "
            "the next night computes those days again."
        )
        yield Finding(Level.WRONG, what, mend)
    if extra:
        what = f"{len(extra)} parts of {table.name} have no stamp ({_days(extra)})."
        yield Finding(Level.LOOK, what, "A run was killed between the two; the next night computes them again.")


def _registry(home: Home, study: Study) -> Findings:
    """Aliases point at versions whose files are there."""
    registry = Registry(home.mlflow, study.study.name)
    if not registry.exists():
        return
    there = {version.number for version in registry.versions()}
    found = registry.client().search_registered_models(f"name = '{MODEL}'")
    aliases = {alias: int(number) for model in found for alias, number in model.aliases.items()}
    mend = "`macromicro promote VERSION` makes another version champion; `macromicro run` makes a new challenger."
    for alias in (CHAMPION, CHALLENGER):
        number = aliases.get(alias)
        if number is not None and number not in there:
            yield Finding(Level.WRONG, f"The alias {alias} points at version {number}, which is not registered.", mend)
        elif number is not None and (fault := _fault(registry, number)):
            what = f"The files of the {alias}, version {number}, are missing, cut or of another form: {fault}"
            yield Finding(Level.WRONG, what, mend)


def _databases(home: Home, study: Study) -> Findings:
    """The databases are whole, and nobody holds one for long."""
    del study
    places = [home.mlflow / "mlflow.db", home.dagster / "history" / "runs.db", home.dagster / "history/runs/index.db"]
    for path in (*places, home.dagster / "schedules" / "schedules.db"):
        if path.exists():
            yield from _database(path, busy=str(holder(home) or ""))


def _database(path: Path, busy: str) -> Findings:
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=PATIENCE_S)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
            whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        held = busy or f"another program; `fuser {path}` names it"
        mend = f"It is held by {held}. Wait for it, or end it if it hangs."
        yield Finding(Level.WRONG, f"{path} cannot be written: {error}.", mend)
    except sqlite3.DatabaseError as error:
        yield Finding(Level.WRONG, f"{path} is damaged: {error}.", _restore(path))
    else:
        if whole != "ok":
            yield Finding(Level.WRONG, f"{path} is damaged: {whole}.", _restore(path))


def _switches(home: Home, study: Study) -> Findings:
    """The schedules and sensors that make the nights are on, unless `study.toml` says otherwise."""
    if not study.schedule.enabled or not (home.dagster / "schedules" / "schedules.db").exists():
        return
    from dagster._core.scheduler.instigation import InstigatorStatus

    from pipeline.instance import instance

    with instance(home) as storage:
        stopped = [s.name for s in storage.all_instigator_state() if s.status is InstigatorStatus.STOPPED]
    if stopped:
        what = f"Switched off in Dagster's pages: {', '.join(sorted(stopped))}."
        mend = "What is off does not run at night. Switch it on under Automation, or `enabled = false` in [schedule]."
        yield Finding(Level.LOOK, what, mend)


def _dead_runs(home: Home, study: Study) -> Findings:
    """No run says that it works while nobody works on the home."""
    del study
    if not (home.dagster / "history" / "runs.db").exists() or holder(home):
        return
    import dagster as dg

    from pipeline.instance import instance

    with instance(home) as storage:
        dead = storage.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    if dead:
        what = f"Runs that say they work, while nobody holds the home: {_named(r.run_id[:8] for r in dead)}."
        mend = "Their processes were killed. The next `macromicro run`, or the inbox sensor within minutes, ends them."
        yield Finding(Level.LOOK, what, mend)


def _reports(home: Home, study: Study) -> Findings:
    """The reports' folder can be written, and the last days could be drawn."""
    del study
    folder = home.root / FOLDER
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        what = f"{folder} cannot be written by this user; it belongs to {_owner(folder)}."
        yield Finding(Level.WRONG, what, "Run as that user, or give this one the folder: no report is written.")
    failed = [page.stem for page in sorted((folder / DAYS).glob("*.html")) if could_not_be_drawn(page)]
    if failed:
        what = f"{len(failed)} day{'s' if failed[1:] else ''} could not be drawn ({_named(failed)})."
        yield Finding(Level.LOOK, what, "`macromicro show PARTICIPANT DAY` says why; the night went on without.")


def _ports(home: Home, study: Study) -> Findings:
    """The pages' usual ports are free or answer."""
    del home, study
    for name, port in PORTS.items():
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                what = f"Something answers on port {port}, where {name}'s pages usually are."
                yield Finding(
                    Level.LOOK, what, "Good if `macromicro ui` is running; else `ui` takes the next free port."
                )


EXAMINATIONS: tuple[Callable[[Home, Study], Findings], ...] = (
    _folders, _disk, _clock, _half_written, _cut_parts, _parts, _databases, _registry, _switches, _dead_runs, _reports,
    _ports,
)  # fmt: skip


def _fault(registry: Registry, number: int) -> str:
    """Why a version cannot be loaded; empty where it can."""
    from assets.learning.schedule import model_of

    version = registry.version(number)
    try:
        model_of(registry, version)
    except MacromicroError as error:
        return _said(error)
    return "" if (registry.folder_of(version) / "MLmodel").is_file() else "MLmodel is absent"


def _said(error: Exception) -> str:
    """An error of ours as it stands; of another its class and first line, for what follows may hold values."""
    if isinstance(error, MacromicroError):
        return str(error)
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def _restore(path: Path) -> str:
    return f"Move {path.name} aside and put back a copy. Inbox and lake are whole without it: the next night goes on."


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except KeyError:
        return f"user {folder.stat().st_uid}"


def _days(keys: set[Key]) -> str:
    return _named(f"{k.participant} {k.date}" for k in sorted(keys, key=str))


def _named(names: Iterable[str]) -> str:
    """The first few names, and whether there are more."""
    known = list(names)
    return ", ".join(known[:MOST_NAMED]) + (", …" if len(known) > MOST_NAMED else "")
