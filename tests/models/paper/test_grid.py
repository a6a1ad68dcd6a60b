"""The grid: finished cells stay finished, figures are those of the predictions, intervals are paired over people."""

from pathlib import Path

import numpy as np
import pytest

from models.baselines import BASELINES
from models.cohort import Cohort
from models.errors import ModelError
from models.metrics import pooled_ccc
from models.paper import grid as module
from models.paper.design import Design, PaperSettings
from models.paper.fitting import fit_paper
from models.paper.grid import AGAINST, Bench, Cell, Store, references, run_cells, table
from tests.models.people import made_up

QUICK = PaperSettings(max_epochs=2, width=8, heads=2)
CELLS = {Cell(Design("max", p, "equal"), seed): f"{p}{seed}" for p in ("none", "heads") for seed in (0, 1)}


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made_up(people=6, days=8, coupling=1.0)


@pytest.fixture(scope="module")
def bench(cohort: Cohort) -> Bench:
    return Bench.of(cohort)


def test_a_killed_grid_goes_on_where_it_stopped_and_ends_the_same(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(cell: Cell, *_: object) -> None:
        if cell.seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells(bench, CELLS, QUICK, Store(tmp_path / "a"), killed)
    news: list[bool] = []
    again = run_cells(bench, CELLS, QUICK, Store(tmp_path / "a"), lambda _c, _r, new: news.append(new))
    assert news == [False, False, True, True]
    whole = run_cells(bench, CELLS, QUICK, Store(tmp_path / "b"))
    for cell in CELLS:
        np.testing.assert_array_equal(again[cell].each, whole[cell].each)
    monkeypatch.setattr(module, "run_cell", None)  # nothing is left to run
    assert run_cells(bench, CELLS, QUICK, Store(tmp_path / "b")).keys() == CELLS.keys()


def test_figures_are_those_of_the_predictions_and_stand_beside_every_baseline(
    cohort: Cohort, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = run_cells(bench, CELLS, QUICK, Store(tmp_path))
    few = ("global_mean", "personal_mean", "linear_mixed", "ewma")
    monkeypatch.setattr(module, "BASELINES", {name: BASELINES[name] for name in few})
    known = references(bench)
    rows = {row.name: row for row in table(results, known, draw_count=200)}
    expected = []
    for seed in (0, 1):
        model = fit_paper(
            cohort,
            bench.split.train,
            Design("max", "heads", "equal"),
            PaperSettings(**{**QUICK.as_dict(), "seed": seed}),
        )
        said = model.predict(cohort)[bench.rows]
        expected.append(pooled_ccc(said, cohort.answers[bench.rows]).mean())
    row = rows["max/heads/equal"]
    assert row.seeds == 2
    assert row.pooled_ccc == pytest.approx(np.mean(expected))
    assert row.seed_sd == pytest.approx(np.std(expected, ddof=1))
    assert row.pooled_ccc_ci[0] < row.pooled_ccc < row.pooled_ccc_ci[1]
    assert row.over == pytest.approx(row.pooled_ccc - rows[AGAINST].pooled_ccc)
    assert rows[AGAINST].over_ci == (0.0, 0.0)
    assert set(few) < set(rows)
    assert [r.pooled_ccc for r in table(results, known, draw_count=200)] == sorted(
        (r.pooled_ccc for r in rows.values()), reverse=True
    )


def test_a_study_without_answers_to_test_on_is_refused() -> None:
    with pytest.raises(ModelError, match="too few answers"):
        Bench.of(made_up(people=3, days=1))
