"""Real recordings laid out as studies: what a researcher would put into the inbox, and the command line to run it."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl

SESSIONS = ("S01", "S03", "S05", "S08", "S11", "S14", "S17", "S20", "S23", "S26", "S28", "S31")
ROWLAND_ITEMS = ("happy", "excited", "relaxed", "satisfied", "angry", "anxious", "depressed", "sad")


def macromicro(home: Path, *arguments: str, expect: int = 0, **environment: str) -> str:
    """Run the command as a user would; its output, after checking its exit code."""
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "160", **environment}
    )
    assert done.returncode == expect, (
        f"{arguments}: exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout


def macromicro_json(home: Path, *arguments: str) -> Any:
    return json.loads(macromicro(home, *arguments, "--json"))


def write_study(home: Path, timezone: str, items: dict[str, tuple[float, float]], more: str = "") -> None:
    """Make the home by `init`, then set its items as a researcher would by editing the file."""
    macromicro(home, "init", "--timezone", timezone)
    tables = "".join(f"[items.{name}]\nlow = {low}\nhigh = {high}\n" for name, (low, high) in items.items())
    (home / "study.toml").write_text(f'[study]\nname = "real"\ntimezone = "{timezone}"\n{tables}{more}')


def lay_out_stress_predict(data: Path, home: Path) -> None:
    """Twelve E4 sessions as twelve participants, STAI totals before and after, acted speech as their voices."""
    write_study(home, "Europe/Dublin", {"stai": (40, 160)}, "[report]\nday_pages = 2\n")
    source = data / "e4" / "stress_predict"
    scores, logs = _stai(source / "Questionnaires_scores.xlsx"), _times(source / "Time_logs.xlsx")
    speakers = _speakers(data / "speech" / "nemo")
    rows = []
    for code, clips in zip(SESSIONS, speakers, strict=False):
        shutil.copytree(source / code, home / "inbox" / code / "e4")
        for when, score, clip in zip(logs[code], scores[code], clips, strict=True):
            rows.append({"participant": code, "time": when.isoformat(), "stai": score})
            spoken = (when - timedelta(seconds=60)).astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
            folder = home / "inbox" / code / "voice"
            folder.mkdir(exist_ok=True)
            shutil.copyfile(clip, folder / f"{spoken}.wav")
    _write_reports(home, rows)


def lay_out_rowland(data: Path, home: Path) -> None:
    """Every third of 125 people, six beeps a day for forty days, eight items; missed beeps are empty rows."""
    # A third of the people, few epochs, one network and few trees: what the model reaches is for the benchmarks to say.
    write_study(
        home,
        "Europe/London",
        dict.fromkeys(ROWLAND_ITEMS, (0, 100)),
        "[training]\nmax_epochs = 4\nmembers = 1\ntrees = 20\n",
    )
    first = datetime(2026, 1, 5, 10, tzinfo=ZoneInfo("Europe/London"))
    rows = []
    with (data / "self_reports" / "rowland2020.csv").open() as file:
        for row in (row for row in csv.DictReader(file) if int(row["subj_id"]) % 3 == 0):
            when = first + timedelta(days=int(row["dayno"]) - 1, hours=2 * (int(row["beep"]) - 1))
            values = {item: row[item] for item in ROWLAND_ITEMS}
            rows.append({"participant": f"R{int(row['subj_id']):03d}", "time": when.isoformat(), **values})
    _write_reports(home, rows)


def tree_hash(folder: Path) -> dict[str, str]:
    """Every file below a folder with the hash of its bytes, to compare two lakes."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in files}


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The paths at which two trees differ."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def run_and_kill(home: Path, stage: str) -> bool:
    """Start a night and SIGKILL it and its workers the moment a file of this stage appears anew; whether it did."""
    before = _present(home, stage)
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "run"]
    night = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while night.poll() is None:
        if _present(home, stage) - before:
            os.killpg(night.pid, signal.SIGKILL)
            night.wait()
            return True
        time.sleep(0.01)
    return False


def settle(path: Path) -> None:
    """Make a file look as if it had lain there for an hour."""
    old = time.time() - 3600
    os.utime(path, (old, old))


def _write_reports(home: Path, rows: list[dict[str, object]]) -> None:
    folder = home / "inbox" / "self_reports"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "answers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _stai(path: Path) -> dict[str, tuple[float, float]]:
    rows = list(openpyxl.load_workbook(path, data_only=True)["STAI Score"].iter_rows(values_only=True))
    total = next(row for row in rows if row[0] == "Total")
    columns = {name: n for n, name in enumerate(rows[0]) if name in SESSIONS}
    return {name: (float(total[n]), float(total[n + 1])) for name, n in columns.items()}


def _times(path: Path) -> dict[str, tuple[datetime, datetime]]:
    """End of each questionnaire; the logs write afternoons on a twelve-hour clock."""
    found = {}
    for row in openpyxl.load_workbook(path, data_only=True)["Sheet1"].iter_rows(min_row=3, values_only=True):
        if row[0] in SESSIONS:
            ends = [row[7], row[21]]
            hours = [e.hour + (12 if e.hour < 8 else 0) for e in ends]
            found[row[0]] = tuple(
                datetime(*row[-1].timetuple()[:3], h, e.minute, tzinfo=ZoneInfo("Europe/Dublin"))
                for h, e in zip(hours, ends, strict=True)
            )
    return found


def _speakers(folder: Path) -> list[list[Path]]:
    """Two clips for each of twelve voices: speakers in order, the first ones twice with other clips."""
    by_speaker: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.wav")):
        by_speaker.setdefault(path.name.split("_")[0], []).append(path)
    first = [clips[:2] for clips in by_speaker.values()]
    return (first + [clips[2:4] for clips in by_speaker.values()])[: len(SESSIONS)]


def _present(home: Path, stage: str) -> set[Path]:
    """Files of a stage; a folder that the night removes while it is listed holds none."""
    try:
        return set(home.glob(stage))
    except FileNotFoundError:
        return set()
