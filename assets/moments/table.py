"""What a moments frame holds, for one study: its table, its items and its modalities.

The columns are those of `models/cohort.py`, plus `<m>.coverage`; they depend on the study's items and on the feature
catalogue, so the table is declared by a function. How the columns are filled belongs to `build.py`.
"""

from __future__ import annotations

import polars as pl

from assets.features.catalogue import EDA, EMBEDDING, HRV, MODALITIES, MOTION, TEMPERATURE, Feature
from assets.study import Study
from assets.tables import Column, Table
from models.cohort import Item

YESTERDAY = "yesterday"
"""The modality that a nightly batch knows: means of some body features over the previous local day."""

EMBEDDED = "voice_embedding"
"""The modality of studies that name a network for the voice: the clip before the answer, as that network hears it."""

DAILY_VALUES, TODAY = "daily", "today"
"""What the study's tables of daily values say of the day before, or of the day itself where the study says so."""

DAILY = {
    "hrv": ("hr_bpm", "rmssd_ms"),
    "eda": ("eda_tonic_us", "scr_per_min"),
    "motion": ("enmo_mg",),
    "temperature": ("temp_c",),
}
"""Which features of which windowed table `yesterday` averages."""

_WINDOWED = {"hrv": HRV, "eda": EDA, "motion": MOTION, "temperature": TEMPERATURE}


def modalities(study: Study | None = None) -> dict[str, tuple[str, ...]]:
    """Every modality of a moment with its features, in the order of the columns; of one study, with its own."""
    named = {name: tuple(f.name for f in features) for name, features in MODALITIES.items()}
    by_day = {YESTERDAY: tuple(name for names in DAILY.values() for name in names)}
    if study is not None and study.daily_values.columns:
        by_day[daily_modality(study)] = study.daily_values.columns
    embedded = {EMBEDDED: tuple(f.name for f in EMBEDDING)} if study and study.features.embedding_model else {}
    return {**named, **embedded, **by_day}


def daily_modality(study: Study) -> str:
    """What the study's daily values are called: by when they are known."""
    return TODAY if study.daily_values.known == "same_day" else DAILY_VALUES


def items_of(study: Study) -> tuple[Item, ...]:
    """The study's items as the models know them."""
    return tuple(Item(name, item.low, item.high) for name, item in study.items.items())


def days_table(study: Study) -> Table:
    """The table `days` of a study: one part a participant, one row per local day from the first to the last."""
    body = [f for table, names in DAILY.items() for f in _WINDOWED[table] if f.name in names]
    return Table(
        "days",
        "What is known of each local day: means of some body features, and the study's daily values.",
        (
            Column("day", pl.Date(), "", "the participant's local day"),
            Column(f"{YESTERDAY}.coverage", pl.Float64(), "share", "share of it that the best covered modality covers"),
            *(Column(f"{YESTERDAY}.{f.name}", pl.Float64(), f.unit, f"over the day: {f.meaning}") for f in body),
            Column(f"{DAILY_VALUES}.coverage", pl.Float64(), "share", "share of the study's daily values there are"),
            *(
                Column(f"{DAILY_VALUES}.{name}", pl.Float64(), "as in the source", f"daily value {name}")
                for name in study.daily_values.columns
            ),
        ),
        keys=("participant",),
        order=("day",),
    )


def moments_table(study: Study) -> Table:
    """The table `moments` of a study: one part a participant, one row per answered self-report."""
    return Table(
        "moments",
        "One row per answered self-report: the answers, and what was known of body and voice before them.",
        (
            Column("time_us", pl.Int64(), "µs UTC", "when the self-report was answered"),
            Column("day", pl.Date(), "", "the participant's local day"),
            Column("local_hour", pl.Float64(), "h", "wall-clock hour of the day, 0–24"),
            *(Column(f"y_{i.name}", pl.Float64(), "scale units", f"answer to {i.name}") for i in items_of(study)),
            *(column for modality, names in modalities(study).items() for column in _modality(modality, names)),
        ),
        keys=("participant",),
    )


def _modality(modality: str, names: tuple[str, ...]) -> list[Column]:
    columns = [
        Column(f"{modality}.coverage", pl.Float64(), "share", f"share of the look-back that {modality} covers"),
        Column(f"{modality}.past_n", pl.Int64(), "count", f"earlier moments (or days) with {modality}"),
    ]
    for feature in _features(modality, names):
        name, means = f"{modality}.{feature.name}", feature.meaning
        columns += [
            Column(name, pl.Float64(), feature.unit, means),
            Column(f"{name}.past_mean", pl.Float64(), feature.unit, f"the person's earlier mean of: {means}"),
            Column(f"{name}.past_sd", pl.Float64(), feature.unit, f"the person's earlier SD of: {means}"),
        ]
    return columns


def _features(modality: str, names: tuple[str, ...]) -> tuple[Feature, ...]:
    if modality in MODALITIES:
        return MODALITIES[modality]
    if modality == EMBEDDED:
        return EMBEDDING
    if modality == YESTERDAY:
        return tuple(f for table, chosen in DAILY.items() for f in _WINDOWED[table] if f.name in chosen)
    return tuple(Feature(name, "as in the source", f"daily value {name}", "the study") for name in names)
