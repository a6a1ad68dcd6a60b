"""Row builders for this stage: days as the table `daily` holds them."""

from datetime import date, timedelta

import polars as pl

from assets.lake import Key, Lake
from assets.ledger import Ledger, Stamp
from assets.monitoring.tables import DAILY
from assets.study import Home
from assets.tables import Table

FIRST = date(2026, 3, 2)


def day(participant: str, n: int = 0, **values: object) -> dict[str, object]:
    """The n-th day of a participant."""
    return {"participant": participant, "date": FIRST + timedelta(days=n), **values}


def days(*rows: dict[str, object]) -> pl.DataFrame:
    """Rows of `daily` with their participant, as the lake reads them."""
    plain = [{k: v for k, v in row.items() if k != "participant"} for row in rows]
    return DAILY.frame(plain).with_columns(pl.Series("participant", [r["participant"] for r in rows], pl.String()))


def windows(table: Table, *rows: dict[str, object], minutes: int = 5) -> pl.DataFrame:
    """Rows of a windowed table, one window after the other."""
    step = minutes * 60_000_000
    return table.frame([{"time_us": n * step, "end_us": (n + 1) * step, **row} for n, row in enumerate(rows)])


def put(home: Home, unit: str, participant: str, on: date, frames: dict[Table, pl.DataFrame]) -> None:
    """Write parts and their stamp, as a unit of work would."""
    lake, outputs = Lake(home.lake), {}
    for table, frame in frames.items():
        outputs[table.name] = lake.write(table, frame, Key(participant, on)).content
    Ledger(lake, unit).record(participant, {on: Stamp("in", "1", outputs)})
