"""Who has changed: people whose own last week differs from their own weeks before.

One person's change is no drift of a device; it is shown to the scientist with the study code and the feature that
moved, surest first. The limit shares one false-alarm rate over everybody and every feature.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assets.monitoring.panel import Panel, level_weekends, middle, own_sd
from assets.monitoring.shift import CLIP, FEWEST_DAYS

WEEK = 7
FEWEST_RECENT = 3  # days of the last week
ALPHA = 0.05
MOST = 12
STRETCH = 2.0  # days of one person resemble each other: their mean varies about this much more (AR(1), ρ = 1/3)


def changes(panel: Panel, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The surest changes of single people, at most a dozen.

    Args:
        panel: days of people, the last one being the last day of the week looked at.
        names: the panel's features.

    Returns:
        `participant`, `feature`, `shift` (own SDs) and `days`, one line for each person's surest feature.
    """
    from scipy.stats import t

    if not panel.people:
        return []
    values = level_weekends(panel).values
    past, recent = values[:, :-WEEK], values[:, -WEEK:]
    n_past, n_recent = (~np.isnan(past)).sum(1), (~np.isnan(recent)).sum(1)
    z = np.clip((recent - middle(past)[:, None]) / own_sd(past)[:, None], -CLIP, CLIP)
    shift = np.nansum(z, axis=1) / np.maximum(n_recent, 1)
    error = np.sqrt(STRETCH * (1 / np.maximum(n_recent, 1) + np.pi / 2 / np.maximum(n_past, 1)))
    enough = (n_past >= 2 * FEWEST_DAYS) & (n_recent >= FEWEST_RECENT)
    limit = t.isf(ALPHA / 2 / max(1, int(enough.sum())), np.maximum(n_past - 1, 2))
    surety = np.where(enough, np.abs(shift) / error / limit, 0.0)
    found = []
    for person in np.argsort(-surety.max(axis=1, initial=0.0))[:MOST]:
        feature = int(surety[person].argmax())
        if surety[person, feature] > 1:
            found.append(
                {
                    "participant": panel.people[person],
                    "feature": names[feature],
                    "shift": float(shift[person, feature]),
                    "days": int(n_recent[person, feature]),
                }
            )
    return found
