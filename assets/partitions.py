"""Dagster's daily partitions over the study's local days (`days.py` says what a day is).

They begin before the earliest time that a reader accepts and reach some days ahead, in whatever zone: a day without a
partition could not be computed, and the whole night would fail over one dump (docs/decisions/0005-partitions.md).
"""

from __future__ import annotations

import dagster as dg

from assets.study import Study

FIRST_DAY = "2007-12-31"
AHEAD_DAYS = 4  # readers accept clocks two days ahead, and a participant may live 26 hours of clock east of the study


def daily(study: Study) -> dg.DailyPartitionsDefinition:
    """One Dagster partition a local day, in the study's zone; today's and the next few included."""
    return dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=study.timezone, end_offset=1 + AHEAD_DAYS)
