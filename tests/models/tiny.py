"""A model small enough to check by hand: the mean of the answers seen, moved by the row's own heart rate."""

from dataclasses import dataclass

import numpy as np

from models.cohort import Cohort, Floats, Ints, Item
from models.protocols import nightly_view

ITEMS = (Item("happy", 0, 100), Item("sad", 1, 7))
FEATURES = {"hrv": ("hr_bpm",), "yesterday": ("temp_c",)}


@dataclass
class Said:
    value: Floats
    low: Floats
    high: Floats
    moved: dict[str, Floats]


@dataclass
class Tiny:
    """value = mean of seen answers (else the middle of the scale) + (hr − its past mean) ± 1, or ± 2 by night."""

    items: tuple[Item, ...] = ITEMS
    participants: tuple[str, ...] = ("P1",)

    @property
    def features(self) -> dict[str, tuple[str, ...]]:
        return FEATURES

    def predict(self, cohort: Cohort, rows: Ints, *, nightly: bool = False, why: bool = False) -> Said:
        if nightly:
            cohort, _ = nightly_view(cohort)
        value = np.array([self._one(cohort, int(row), nightly=nightly) for row in rows])
        width = 2.0 if nightly else 1.0
        nothing = np.zeros_like(value)
        moved = {"hrv": nothing + 1.0, "yesterday": nothing, "history": nothing, "person": nothing}
        return Said(value, value - width, value + width, moved if why else {})

    @staticmethod
    def _one(cohort: Cohort, row: int, *, nightly: bool) -> Floats:
        own = (cohort.person == cohort.person[row]) & (cohort.time_us < cohort.time_us[row])
        if nightly:
            own &= cohort.day < cohort.day[row]
        seen, middle = cohort.answers[own], cohort.low + cohort.span / 2
        count = (~np.isnan(seen)).sum(0)
        mean = np.where(count > 0, np.nansum(seen, 0) / np.maximum(count, 1), middle)
        hrv = cohort.modalities["hrv"]
        return mean + np.nan_to_num(hrv.values[row, 0] - hrv.past_mean[row, 0]) + cohort.local_hour[row] / 100
