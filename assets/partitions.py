"""Dagster's daily partitions over the study's local days (`days.py` says what a day is)."""

from __future__ import annotations

import dagster as dg

from assets.study import Study

FIRST_DAY = "2010-01-01"


def daily(study: Study) -> dg.DailyPartitionsDefinition:
    """One Dagster partition a local day, today's included, in the study's zone."""
    return dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=study.timezone, end_offset=1)
