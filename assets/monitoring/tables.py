"""The tables of this stage: what a participant gave on each day, what drifted, and who decided about champions.

`daily` is what pictures, drift and reports read, so that none of them opens thousands of parts. Predictions are
declared with the other tables of the lake (`assets/tables.py`).
"""

from __future__ import annotations

import polars as pl

from assets.features.catalogue import MODALITIES
from assets.tables import Column, Table

VOICE_WATCHED = (
    "F0semitoneFrom27.5Hz_sma3nz_amean",
    "loudness_sma3_amean",
    "spectralFlux_sma3_amean",
    "jitterLocal_sma3nz_amean",
    "shimmerLocaldB_sma3nz_amean",
    "HNRdBACF_sma3nz_amean",
    "alphaRatioV_sma3nz_amean",
)
"""The functionals of a voice that are watched: the rest of eGeMAPS moves with them."""

WATCHED = {m: tuple(f for f in fs if m != "voice" or f.name in VOICE_WATCHED) for m, fs in MODALITIES.items()}
FEATURES = tuple(f"{m}.{f.name}" for m, fs in WATCHED.items() for f in fs)
"""Columns of `daily` that hold a feature's median of the day, `<modality>.<feature>`."""

YIELDS = {
    "worn": ("worn_h", "h"),
    "pulse": ("pulse_h", "h"),
    "skin": ("skin_h", "h"),
    "voice": ("clips", "clips"),
    "answers": ("self_reports", "self-reports"),
}
"""What a coordinator looks at: for each modality, the column that says how much came, and its unit."""

_WORN = "hours with the sensor on skin (by temperature where measured, else by the other sensors)"
DAILY = Table(
    "daily",
    "One row per participant and day: what came, from which device, and each feature's median.",
    (
        Column("date", pl.Date(), "", "the participant's local day"),
        Column("inputs", pl.String(), "", "hash of the parts and settings that the row is made from"),
        Column("device", pl.String(), "", "wristband models of the day's dumps; null where none names itself"),
        Column("firmware", pl.String(), "", "their firmware, where the dumps tell"),
        Column("serial", pl.String(), "", "their serial numbers"),
        Column("recorded_h", pl.Float64(), "h", "hours in which any sensor gave samples"),
        Column("worn_h", pl.Float64(), "h", _WORN),
        Column("pulse_h", pl.Float64(), "h", "hours covered by valid beats"),
        Column("skin_h", pl.Float64(), "h", "hours of valid skin conductance"),
        Column("clips", pl.Int64(), "count", "voice clips"),
        Column("voice_s", pl.Float64(), "s", "their length together"),
        Column("clips_usable", pl.Int64(), "count", "voice clips with features"),
        Column("self_reports", pl.Int64(), "count", "times at which the participant answered"),
        Column("answers", pl.Int64(), "count", "items answered"),
        *(
            Column(f"{m}.{f.name}", pl.Float64(), f.unit, f"median of the day: {f.meaning}")
            for m, fs in WATCHED.items()
            for f in fs
        ),
    ),
    keys=("participant",),
    order=("date",),
)
DRIFT = Table(
    "drift",
    "What a night found when it compared each feature's last weeks with each person's own past, kept as found.",
    (
        Column("feature", pl.String(), "", "<modality>.<feature>"),
        Column("group", pl.String(), "", "whose: everyone, or a device model or firmware"),
        Column("since", pl.Date(), "", "first day of the change that fits best"),
        Column("shift_sd", pl.Float64(), "own SD", "size of the change in people's own day-to-day SDs"),
        Column("score", pl.Float64(), "SE", "the change over its standard error"),
        Column("limit", pl.Float64(), "SE", "what the score must pass to count as drift"),
        Column("people", pl.Int64(), "count", "people with days before and after"),
        Column("agreeing", pl.Float64(), "share", "share of them who moved the same way"),
        Column("drifted", pl.Boolean(), "", "whether it counts as drift"),
    ),
    keys=("date",),
    order=("feature", "group"),
)
DECISIONS = Table(
    "decisions",
    "Champions set by hand: every `promote` and `rollback`, in order.",
    (
        Column("time_us", pl.Int64(), "µs UTC", "when"),
        Column("action", pl.String(), "", "promote or rollback"),
        Column("version", pl.Int64(), "", "the version that became champion"),
        Column("before", pl.Int64(), "", "the champion until then; null where there was none"),
        Column("who", pl.String(), "", "login name of who typed it"),
        Column("why", pl.String(), "", "the reason given"),
    ),
    keys=(),
)
RETIRED = Table(
    "retired",
    "Versions that house-keeping took out of the registry: their figures stay.",
    (
        Column("version", pl.Int64(), "", "number of the version"),
        Column("trained_until", pl.Date(), "", "day of the last answer in its training"),
        Column("answers", pl.Int64(), "count", "self-reports it was fitted on"),
        Column("people", pl.Int64(), "count", "people they came from"),
        Column("kind", pl.String(), "", "macro_micro or baseline"),
        Column("training", pl.String(), "", "macro: everything fitted anew; micro: new answers moved their people"),
        Column("gate", pl.String(), "", "promoted or declined; empty where it was never judged"),
        Column("reason", pl.String(), "", "why"),
        Column("gate_figures", pl.String(), "", "the gate's figures as JSON"),
        Column("metrics", pl.String(), "", "its night's evaluation as JSON: <protocol>.<model>.<figure>"),
        Column("retired_us", pl.Int64(), "µs UTC", "when it was taken out"),
    ),
    keys=(),
    order=("version",),
)
