"""The table of models beside baselines as everybody meets it: terminal, Dagster, model card and report.

One place decides which figures stand in it and how they are written, so that no page leaves out what another shows: the
pooled CCC never stands without its interval, the error and the lift over an EWMA. The figures are made in
`models/evaluation.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, float | None]

HEADER = (
    "model", "pooled CCC (95 %)", "CCC within people (95 %)", "r within", "MAE (95 %)", "implied q",
    "lift over EWMA, % of scale (95 %)", "people improved", "worst tenth", "coverage, worst tenth",
)  # fmt: skip
ITEM_HEADER = ("item", *HEADER[1:])
AGREEMENT, ERROR = (0, 1, 2, 3, 5), (0, 4, 6, 7, 8)
"""Columns of the same table in two, where a line has room for 80 characters."""
NOTHING = "–"


def rows(models: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """One line a model under `HEADER`, best pooled CCC first.

    Args:
        models: figures by model, nested or under dotted names already (`leaves`).
    """
    figures = {name: dict(leaves(found)) for name, found in models.items()}
    best = sorted(figures.items(), key=lambda kv: -(kv[1].get("pooled_ccc") or -1.0))
    return [[name.replace("_", " "), *_cells(found)] for name, found in best]


def by_item(models: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """One line an item of the model under `ITEM_HEADER`, best pooled CCC first; none where nothing was evaluated.

    Args:
        models: nested figures by model.
    """
    return rows(models.get("macro_micro", {}).get("items", {}))


def leaves(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float | None]]:
    """Nested figures under dotted names; intervals end in `.low` and `.high`."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{before}{name}.")
        elif isinstance(value, list | tuple):
            yield from zip((f"{before}{name}.low", f"{before}{name}.high"), value, strict=True)
        else:
            yield f"{before}{name}", None if value is None else float(value)


def number(value: float | None, digits: int = 3) -> str:
    """A figure, with a true minus and none before 0; a dash where it is not defined."""
    if value is None or value != value:  # noqa: PLR0124
        return NOTHING
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def between(found: Figures, name: str, ends: str, digits: int = 3, times: float = 1) -> str:
    """A figure with its interval, where there is one."""
    middle, low, high = (number(_times(found.get(n), times), digits) for n in (name, f"{ends}.low", f"{ends}.high"))
    return middle if low == NOTHING else f"{middle} ({low} … {high})"


def _cells(found: Figures) -> list[str]:
    lift = "lift_over_ewma"
    inside = number(found.get("coverage"))
    return [
        between(found, "pooled_ccc", "pooled_ccc_ci"),
        between(found, "person_ccc", "person_ccc_ci"),
        number(found.get("within_r")),
        between(found, "mae", "mae_ci", 3 if (found.get("mae") or 0) < 1 else 2),
        number(found.get("implied_q")),
        between(found, f"{lift}.mean", f"{lift}.ci", 2, 100),
        _share(found.get(f"{lift}.improved")),
        number(_times(found.get(f"{lift}.worst_decile"), 100), 2),
        inside if inside == NOTHING else f"{inside}, {number(found.get('coverage_worst_decile'))}",
    ]


def _share(value: float | None) -> str:
    return NOTHING if value is None or value != value else f"{value:.0%}"  # noqa: PLR0124


def _times(value: float | None, by: float) -> float | None:
    return None if value is None else by * value
