"""A cohort's night: whole nights of `macromicro run` for 5, 10 and 30 people, and what 298 would take.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.cohort_night [people …] [--folder F]` (5 10 30 by default).
Everybody has one E4 session of 24 hours, five clips of about 15 s and five self-reports: one simulated day, which each
person gets with another button press and other last samples, so that no dump is a duplicate. Each size has a fresh
home in a scratch folder, removed afterwards. Wall time is that of the command a user types, processor time that of all
its processes; each night is run again when nothing has changed. Stages are scaled one by one, since learning begins
only with a hundred answers and does not grow with people as stages of the data do; `benchmarks/models_simulated.py`
measures it at the full size. `BENCHMARK_TOLD=1` shows what the command says.
"""

from __future__ import annotations

import io
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assets.days import SECOND_US
from assets.simulated.body import record, session_drives
from assets.simulated.e4 import e4_zip
from assets.simulated.loadings import BODY
from assets.simulated.shapes import neurokit_shapes
from assets.simulated.voice import RATE_HZ, speak, wav
from assets.simulated.wear import Session
from assets.simulated.world import draw_world
from assets.study import Study, read_study
from benchmarks._arguments import asking

COHORT, DAY_S, CLIPS, SPOKEN = 298, 86_400, 5, 4
WORKERS = "2"
LEARNING = ("challenger", "evaluation", "champion", "predictions")
DONE = re.compile(r"✓ (\w[\w ]*?) +(\d+\.\d) s")


@dataclass(frozen=True)
class Day:
    """One person's day: the session's zip without button presses, clips, and when the clips began (UTC s)."""

    session: bytes
    start_s: int
    clips: tuple[np.ndarray, ...]
    spoken_s: tuple[int, ...]


@dataclass(frozen=True)
class Night:
    """Seconds of one `macromicro run`."""

    people: int
    wall: float
    processor: float
    again: float
    stages: dict[str, float]

    @property
    def learning(self) -> float:
        """Wall seconds of fitting, testing and estimating."""
        return sum(seconds for name, seconds in self.stages.items() if name in LEARNING)

    @property
    def data(self) -> float:
        """Wall seconds of everything else."""
        return self.wall - self.learning

    @property
    def beyond(self) -> float:
        """Wall seconds that no stage took: start, Dagster, end."""
        return self.wall - sum(self.stages.values())


def simulated_day(study: Study) -> Day:
    """A whole day of wristband, and five clips of about 15 s."""
    world, rng = draw_world(study, participants=1, days=1, seed=0, prompts_per_day=CLIPS), np.random.default_rng(0)
    course = world.courses[0]
    start_s = int(course.time_us[0]) // SECOND_US // DAY_S * DAY_S
    drives = session_drives(course, Session(0, start_s, start_s + DAY_S, tuple(range(CLIPS))))
    recording = record(rng, drives, course.person.body, neurokit_shapes())
    clips = [
        np.concatenate([speak(rng, course.drive[n, len(BODY) :], course.person.voice) for _ in range(SPOKEN)])
        for n in range(CLIPS)
    ]
    times = [int(t) // SECOND_US - len(c) // RATE_HZ - 5 for t, c in zip(course.time_us, clips, strict=True)]
    return Day(_untagged(e4_zip(recording, start_s, np.zeros(0), rng)), start_s, tuple(clips), tuple(times))


def _untagged(session: bytes) -> bytes:
    """The zip without `tags.csv`, so that each person can get another."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(session)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != "tags.csv":
                new.writestr(name, old.read(name))
    return out.getvalue()


def fill(home: Path, day: Day, people: int, items: tuple[str, ...]) -> None:
    """The inbox of a study in which everybody had that day."""
    rows = [",".join(("participant", "time", *items))]
    for number in range(1, people + 1):
        code = f"P{number:03}"
        for folder in ("e4", "voice"):
            (home / "inbox" / code / folder).mkdir(parents=True)
        path = home / "inbox" / code / "e4" / f"{day.start_s}_A{number:05}.zip"
        path.write_bytes(day.session)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("tags.csv", f"{day.start_s + 3600 + number}.00\n")
        for start, samples in zip(day.spoken_s, day.clips, strict=True):
            name = time.strftime("%Y-%m-%dT%H-%M-%SZ.wav", time.gmtime(start))
            own = samples.copy()
            own[-1] = number / 32_767
            (home / "inbox" / code / "voice" / name).write_bytes(wav(own))
            when = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(start + 30))
            values = np.random.default_rng(number + start).integers(0, 101, len(items))
            rows.append(",".join((code, when, *map(str, values))))
    (home / "inbox" / "self_reports").mkdir()
    (home / "inbox" / "self_reports" / "answers.csv").write_text("\n".join(rows) + "\n")


def run(home: Path) -> tuple[float, float, dict[str, float]]:
    """Wall and processor seconds of one night, and wall seconds by stage."""
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "run"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    workers = os.environ | {"MACROMICRO_WORKERS": WORKERS}
    told = subprocess.run(command, check=False, capture_output=True, text=True, env=workers)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if told.returncode:
        sys.exit(told.stdout + told.stderr)
    if "BENCHMARK_TOLD" in os.environ:
        print(told.stdout)
    stages: dict[str, float] = {}
    for name, seconds in DONE.findall(told.stdout):
        stages[name] = stages.get(name, 0.0) + float(seconds)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, stages


def night(home: Path, day: Day, people: int) -> Night:
    """A night of so many people on a fresh home, and the night after it with nothing new."""
    subprocess.run([sys.executable, "-m", "pipeline.cli", "--home", str(home), "init", "--timezone", "UTC"], check=True,
                   capture_output=True)  # fmt: skip
    items = tuple(read_study(home / "study.toml").items)
    shutil.rmtree(home / "inbox", ignore_errors=True)
    fill(home, day, people, items)
    wall, processor, stages = run(home)
    again, *_ = run(home)
    counted = len(list((home / "lake" / "hrv").glob("*/*/part.parquet")))
    clips = len(list((home / "lake" / "acoustic").glob("*/*/part.parquet")))
    if (counted, clips) != (people, people):
        sys.exit(f"{people} people gave {counted} days of heart and {clips} of voice: the benchmark measures nothing")
    return Night(people, wall, processor, again, stages)


def main() -> None:
    """Print the table."""
    given = asking(__doc__)
    given.add_argument("people", nargs="*", type=int, default=[5, 10, 30], help="how many, a night each")
    given.add_argument("--folder", type=Path, default=None, help="where scratch homes are made")
    told = given.parse_args()
    study = Study.model_validate({"study": {"timezone": "UTC"}, "items": {"happy": {}}})
    day, nights = simulated_day(study), []
    print(f"a day: {len(day.session) / 1e6:.0f} MB of E4, {sum(map(len, day.clips)) / RATE_HZ:.0f} s of clips")
    for people in told.people:
        with tempfile.TemporaryDirectory(dir=told.folder) as folder:
            found = night(Path(folder) / "home", day, people)
        nights.append(found)
        load = os.getloadavg()[0]
        print(
            f"{people:4d} people: {found.wall:6.1f} s, processor {found.processor:6.1f} s; "
            f"again {found.again:.1f} s (load {load:.1f})",
            flush=True,
        )
        stages = {**found.stages, "beyond all stages": found.beyond}
        print("      " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in stages.items()), flush=True)
    if len(nights) > 1:
        sizes = [n.people for n in nights]
        for name in ("wall", "processor", "data", "learning", "beyond"):
            each, fixed = np.polyfit(sizes, [getattr(n, name) for n in nights], 1)
            whole = fixed + each * COHORT
            print(f"{name}: {fixed:.0f} s + {each:.2f} s a person; {COHORT} people: {whole / 60:.0f} min")


if __name__ == "__main__":
    main()
