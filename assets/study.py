"""The study's settings: what `study.toml` may say, and where a study lives on disk.

Settings are read once, checked as a whole and then frozen. A wrong value is refused with the file, the key and
what was expected, never replaced by a default. Nothing here touches the lake or Dagster.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, field_validator, model_validator

from assets.errors import StudyError
from assets.formats import FORMAT_NAME, Format
from assets.sections import Cron, Section, Zone

HOME_VARIABLE = "MACROMICRO_HOME"
PAPER_ITEMS = ("vigorous", "gloomy", "concerned", "happy", "unpleasant", "anxious", "cheerful", "depressed", "worried")
PARTICIPANT_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
ITEM_PATTERN = r"^\S(.{0,62}\S)?$"


class StudySection(Section):
    """Who and where: `[study]`."""

    name: str = "study"
    timezone: Zone


class Item(Section):
    """One self-report item, `[items.<name>]`: the ends of its scale, and what exports call it (question ids, texts)."""

    low: float = Field(0.0, allow_inf_nan=False)
    high: float = Field(100.0, allow_inf_nan=False)
    aliases: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            message = f"low ({self.low}) must lie below high ({self.high})"
            raise ValueError(message)
        return self


class Windows(Section):
    """`[windows]`: the clock grid of body features, and what an answer looks back on (minutes)."""

    length_minutes: float = Field(5.0, gt=0, le=120)
    step_minutes: float = Field(5.0, gt=0, le=120)
    lookback_minutes: float = Field(60.0, gt=0, le=24 * 60)
    voice_minutes: float = Field(30.0, gt=0, le=24 * 60)


class Features(Section):
    """`[features]`: how features of body and voice are computed, and what is computed beside the default."""

    eda_decomposition: Literal["highpass", "cvxeda", "sparseda"] = "highpass"
    voice: Literal["egemaps", "compare"] = "egemaps"
    voice_lld: bool = False
    embedding_model: str = ""
    embedding_sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")

    @model_validator(mode="after")
    def _checked_model(self) -> Self:
        if bool(self.embedding_model) != bool(self.embedding_sha256):
            message = (
                "embedding_model and embedding_sha256 belong together; "
                "`python -m assets.features.wav2vec FOLDER` prints the hash of a model's folder"
            )
            raise ValueError(message)
        return self

    def of_body(self) -> dict[str, object]:
        """The settings that decide a body feature; those of the voice are left out."""
        return self.model_dump(mode="json", include={"eda_decomposition"})


class DailyValues(Section):
    """`[daily_values]`: which columns of `inbox/daily_values/` the model reads, and when a day's values are known."""

    columns: tuple[Annotated[str, Field(pattern=r"^[^.]{1,64}$")], ...] = ()
    known: str = Field("next_day", pattern="^(next_day|same_day)$")

    @field_validator("columns")
    @classmethod
    def _told_apart(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        wrong = sorted({c for c in columns if columns.count(c) > 1} | {"past_n", "coverage"} & set(columns))
        if wrong:
            message = (
                f"{', '.join(wrong)}: name each column once; past_n and coverage are columns of the pipeline's own"
            )
            raise ValueError(message)
        return columns


class Schedule(Section):
    """`[schedule]`: when the night begins, as cron in the study's time zone."""

    nightly: Cron = "0 3 * * *"
    enabled: bool = True


class Gate(Section):
    """`[gate]`: the evidence a challenger owes before it replaces the champion."""

    min_answers: int = Field(50, ge=1)
    min_people: int = Field(3, ge=1)
    coverage: float = Field(0.9, gt=0, lt=1)
    coverage_tolerance: float = Field(0.1, gt=0, lt=1)
    worst_decile_harm: float = Field(0.02, ge=0, lt=1)


class Training(Section):
    """`[training]`: seeds and limits of a night's training, and when a night fits everything anew.

    Days are those with answers since the last macro fit; people are those it does not know, as a share of all.
    """

    seed: int = Field(0, ge=0, lt=2**31)
    members: int = Field(4, ge=1, le=20)
    trees: int = Field(150, ge=0, le=2000)
    seeds: int = Field(3, ge=1, le=20)
    max_epochs: int = Field(200, ge=0, le=10_000)
    min_answers: int = Field(100, ge=1)
    weighting: str = Field("druw", pattern="^(druw|equal|kendall|dwa|random|rruw)$")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    macro_every_days: int = Field(7, ge=0)
    macro_new_people: float = Field(0.1, ge=0, le=1)
    macro_on_drift: bool = True


class Reading(Section):
    """`[reading]`: what reading one dump may cost before it is stopped and the dump quarantined."""

    max_seconds: float = Field(600.0, gt=0)
    max_memory_mb: int = Field(4096, ge=256)
    max_unpacked_mb: int = Field(16_384, ge=1)
    max_members: int = Field(100_000, ge=1)
    max_depth: int = Field(3, ge=1, le=10)
    settle_seconds: float = Field(30.0, ge=0)
    most_vanished: float = Field(0.5, gt=0, le=1)


class Report(Section):
    """`[report]`: when the morning's report is written, and what turns its checks red."""

    morning: Cron = "0 7 * * *"
    deadline: Cron = "0 8 * * *"
    day_pages: int = Field(12, ge=0, le=1000)
    quiet_days: int = Field(3, ge=1)
    quarantined_share: float = Field(0.1, gt=0, le=1)


class Notify(Section):
    """`[notify]`: who is told of a failed night or a red check. Secrets come from the environment, never from here."""

    webhook: str = ""
    checks: bool = True
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_security: str = Field("starttls", pattern="^(starttls|tls|none)$")
    smtp_user: str = ""


class Retention(Section):
    """`[retention]`: what house-keeping keeps (days, or how many), and when it cleans."""

    weekly: Cron = "0 12 * * 0"
    runs_days: int = Field(90, ge=7)
    versions: int = Field(30, ge=2)
    versions_days: int = Field(90, ge=7)
    reports_days: int = Field(365, ge=7)
    day_pages_days: int = Field(60, ge=7)
    logs_days: int = Field(90, ge=7)
    scratch_days: int = Field(14, ge=1)


class Correction(Section):
    """`[corrections."<path in the inbox, or SHA-256>"]`: a clock that was wrong; either key moves all times.

    `shift_seconds` is added to every time; `starts` is when the first sample was really taken, with its offset.
    """

    shift_seconds: float = Field(0.0, ge=-4e9, le=4e9)
    starts: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.starts is None) == (self.shift_seconds == 0.0):
            message = "give either shift_seconds or starts (a time with its offset, such as 2026-03-01T09:30:00+01:00)"
            raise ValueError(message)
        return self


class ZoneInterval(Section):
    """From this local date on, the participant lives in this zone."""

    start: date
    timezone: Zone


class Participant(Section):
    """`[participants.<code>]`: what differs for one participant."""

    zones: tuple[ZoneInterval, ...] = ()


class Study(Section):
    """Everything `study.toml` says, checked and frozen."""

    study: StudySection
    items: dict[Annotated[str, Field(pattern=ITEM_PATTERN)], Item] = Field(min_length=1)
    windows: Windows = Windows()
    daily_values: DailyValues = DailyValues()
    features: Features = Features()
    schedule: Schedule = Schedule()
    gate: Gate = Gate()
    training: Training = Training()
    reading: Reading = Reading()
    report: Report = Report()
    notify: Notify = Notify()
    retention: Retention = Retention()
    corrections: dict[str, Correction] = Field(default_factory=dict)
    formats: dict[FORMAT_NAME, Format] = Field(default_factory=dict)
    participants: dict[Annotated[str, Field(pattern=PARTICIPANT_PATTERN)], Participant] = Field(default_factory=dict)

    @field_validator("items")
    @classmethod
    def _not_the_ages(cls, items: dict[str, Item]) -> dict[str, Item]:
        if "age_h" in items:
            message = "no item can be called age_h: past_age_h is the column of past answers' ages"
            raise ValueError(message)
        return items

    @property
    def timezone(self) -> str:
        """The study's time zone (tz database name)."""
        return self.study.timezone


def read_study(path: Path) -> Study:
    """Read and check a `study.toml`.

    Raises:
        StudyError: the file is absent, no TOML, or holds a wrong or unknown key; the message names it.
    """
    try:
        return Study.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        message = f"{path} does not exist. Make a home with: macromicro --home {path.parent} init --timezone <zone>"
        raise StudyError(message) from None
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no UTF-8; save it as UTF-8"
        message = f"{path} cannot be read: {what}"
        raise StudyError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"{path} is no valid TOML: {error}"
        raise StudyError(message) from error
    except ValidationError as error:
        wrong = "; ".join(f"[{'.'.join(map(str, e['loc']))}] {e['msg']}" for e in error.errors())
        message = f"{path}: {wrong}"
        raise StudyError(message) from error


@dataclass(frozen=True)
class Home:
    """The data home: `inbox/ lake/ dagster/ mlflow/ study.toml` under one folder."""

    root: Path

    @classmethod
    def find(cls, given: Path | None = None) -> Home:
        """The home given, else `MACROMICRO_HOME`, else `./home`; always absolute.

        Raises:
            StudyError: no home can be there.
        """
        root = (given or Path(os.environ.get(HOME_VARIABLE, "home"))).expanduser().resolve()
        if set(str(root)) & set("%?"):
            message = f"{root} holds % or ?, which the addresses of databases cannot; choose another folder"
            raise StudyError(message)
        if root.is_file():
            message = f"{root} is a file; a home is a folder"
            raise StudyError(message)
        return cls(root)

    @property
    def inbox(self) -> Path:
        """The researcher's folder: read, never changed."""
        return self.root / "inbox"

    @property
    def lake(self) -> Path:
        """The Parquet lake."""
        return self.root / "lake"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage (`DAGSTER_HOME`)."""
        return self.root / "dagster"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.root / "mlflow"

    @property
    def scratch(self) -> Path:
        """Checkpoints and other files that may be deleted between nights."""
        return self.root / "scratch"

    @property
    def study_file(self) -> Path:
        """`study.toml`."""
        return self.root / "study.toml"

    def study(self) -> Study:
        """Read this home's settings."""
        return read_study(self.study_file)
