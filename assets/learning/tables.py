"""The lake's tables of the learning stage: what the models scored, and what was predicted of each test answer."""

from __future__ import annotations

import polars as pl

from assets.tables import Column, Table

EVALUATION = Table(
    "evaluation",
    "How good every model and baseline is, by protocol: one row per figure.",
    (
        Column("protocol", pl.String(), "", "P2: online; P2N: as a nightly batch knows it"),
        Column("model", pl.String(), "", "macro_micro or a baseline"),
        Column("figure", pl.String(), "", "pooled_ccc, mae, coverage, …"),
        Column("value", pl.Float64(), "", "the figure; null where it is not defined"),
    ),
    keys=(),
    order=(),
)
PREQUENTIAL = Table(
    "prequential",
    "Answers after the first four fifths that each person had given by the last macro night, said online by its twin.",
    (
        Column("participant", pl.String(), "", "study code"),
        Column("time_us", pl.Int64(), "µs UTC", "when it was answered"),
        Column("item", pl.String(), "", "item name"),
        Column("answer", pl.Float64(), "scale units", "the answer; null where this item was not answered"),
        Column("value", pl.Float64(), "scale units", "the estimate"),
        Column("low", pl.Float64(), "scale units", "lower end of the interval"),
        Column("high", pl.Float64(), "scale units", "upper end of the interval"),
        Column("baseline", pl.Float64(), "scale units", "the personal baseline's estimate"),
    ),
    keys=(),
    order=("participant", "time_us"),
)
