"""A study's ordinary nights: updates on the last macro version, judged on answers that none of them had seen."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date as Date

import numpy as np
import polars as pl
import pytest

from assets.lake import Key, Lake
from assets.learning.challenger import train_challenger
from assets.learning.champion import _evidence, _line_said, judge, line_of
from assets.learning.evaluation import read_evaluation, refresh_evaluation
from assets.learning.schedule import BASE, MACRO, MICRO, REASON, TRAINING, last_macro, model_of, tonight
from assets.learning.tables import PREQUENTIAL
from assets.learning.twin import read_twin
from assets.learning.wishes import macro_wished, wish_macro
from assets.learning.work import registry_of, settings_of
from assets.moments.cohort import load_cohort, load_moments
from assets.moments.unit import refresh_moments
from assets.monitoring.predictions import predict_day
from assets.monitoring.tables import DRIFT
from assets.study import Home, Study
from assets.tables import PREDICTIONS
from models.registry import CHALLENGER, CHAMPION, Version
from models.settings import Settings
from tests.assets.learning.studies import answers, fill, study_of
from tests.assets.moments.rows import live_in, sources
from tests.models.registries import prepare

PEOPLE = 8


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of(max_epochs=4, min_answers=20, macro_every_days=4)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """As small a network as learns: what is tested is which nights do what."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MACROMICRO_WORKERS", "1")
        for module in ("work", "challenger", "evaluation"):
            patch.setattr(f"assets.learning.{module}.settings_of", small_settings)
        patch.setattr("assets.learning.champion.pictures", lambda *_: {})  # seconds a night, and drawn in other tests
        yield


def small_settings(study: Study) -> Settings:
    return replace(settings_of(study), width=16, layers=1, members=2, trees=5, threads=1)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Home:
    """A macro night after eight days, and micro nights after the ninth and the tenth."""
    home = Home(tmp_path_factory.mktemp("nights") / "home")
    prepare(home.mlflow)
    for days in (8, 9, 10):
        night(home, study, days)
    return home


def night(home: Home, study: Study, days: int, people: int = PEOPLE) -> Version:
    """Everyone's first so many days, and what follows from them; the version of that night."""
    fill(home, study, days=days, people=people)
    refresh_moments(home, study, quiet=True)
    refresh_evaluation(home, study)
    train_challenger(home, study)
    judge(home, study)
    return registry_of(home, study).aliased(CHALLENGER)


def versions(home: Home, study: Study) -> list[Version]:
    """Oldest first."""
    return registry_of(home, study).versions()[::-1]


def test_ordinary_nights_update_the_last_macro_version(nights: Home, study: Study) -> None:
    made = versions(nights, study)
    assert [v.tags[TRAINING] for v in made] == [MACRO, MICRO, MICRO]
    assert [v.tags.get(BASE) for v in made] == [None, "1", "1"]
    assert made[0].tags[REASON] == "there was no macro fit before"
    assert made[2].tags[REASON] == "2 days with answers since version 1, 0 of 8 people new, no new drift"
    assert made[2].tags["answers"] == str(PEOPLE * 10 * 3)
    assert "of 8 people with new answers moved" in made[2].tags["updated"]
    assert last_macro(made[::-1]) == made[0]
    described = registry_of(nights, study).client().get_model_version("macro-micro", "3").description
    assert f"updated from version 1: {made[2].tags['updated']} ({made[2].tags[REASON]})" in described
    client = registry_of(nights, study).client()
    assert all("training.png" in {file.path for file in client.list_artifacts(version.run_id)} for version in made)


def test_an_updated_version_shares_everything_with_its_macro_version(nights: Home, study: Study) -> None:
    registry = registry_of(nights, study)
    macro, micro = (model_of(registry, v).network for v in versions(nights, study)[::2])
    assert macro is not None
    assert micro is not None
    before, after = macro.numbers, micro.numbers
    shared = [n for n in before if n.split(".")[-1] not in ("bias", "film", "slopes") or "micro" not in n]
    assert all(np.array_equal(before[n], after[n]) for n in shared)


def test_the_twin_is_tested_on_everything_after_its_four_fifths(nights: Home, study: Study) -> None:
    said = Lake(nights.lake).read(PREQUENTIAL).drop_nulls("answer")
    assert said.group_by("participant").len()["len"].to_list() == [(24 - 19 + 6) * 2] * PEOPLE
    table = read_evaluation(nights)
    for model in ("macro_micro", "personal_mean", "boosted_trees"):
        assert table["P2"][model]["answers"] == table["P2N"][model]["answers"] == said.height
    twin = read_twin(Lake(nights.lake), versions(nights, study)[0].inputs)
    assert twin is not None
    cohort = load_cohort(nights, study)
    rows = np.flatnonzero(twin.unseen(cohort))
    np.testing.assert_allclose(twin.predict(cohort, rows).value.ravel(), said["value"].to_numpy())


def test_an_idle_night_registers_nothing_and_leaves_the_lake(nights: Home, study: Study) -> None:
    def files() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(nights.lake.rglob("*")) if p.is_file()}

    before = files()
    assert not refresh_evaluation(nights, study).fresh
    again = train_challenger(nights, study)
    assert again is not None
    assert (again.fresh, again.version.number) == (False, 3)
    assert files() == before


def test_the_gate_hears_of_each_answer_from_a_version_that_had_not_seen_it(nights: Home, study: Study) -> None:
    registry, moments = registry_of(nights, study), load_moments(nights, study)
    first, second, third = versions(nights, study)
    assert line_of([third, second, first], third) == [first, second]
    assert line_of([third, second, first], first) == []
    _, twin, _, rows = _evidence(nights, study)
    said = _line_said(study, registry, twin, rows, moments)
    cohort, time_us = load_cohort(nights, study), rows["time_us"].to_numpy()
    tested = np.isin(cohort.time_us, time_us)
    before = time_us <= first.trained_until_us
    np.testing.assert_array_equal(said.value[before], twin.value[before])
    borders = (first.trained_until_us, second.trained_until_us, third.trained_until_us)
    for version, start, end in zip((first, second), borders, borders[1:], strict=False):
        there = (time_us > start) & (time_us <= end)
        assert there.sum() == PEOPLE * 3
        own = model_of(registry, version).predict(cohort, tested & (cohort.time_us > start) & (cohort.time_us <= end))
        np.testing.assert_allclose(said.value[there], own.value, rtol=1e-5)
        np.testing.assert_allclose(said.high[there], own.high, rtol=1e-5)


def test_an_updated_version_predicts_the_coming_day(nights: Home, study: Study) -> None:
    registry = registry_of(nights, study)
    registry.point(CHAMPION, registry.version(3))
    given = predict_day(nights, study)
    assert (given.people, given.version and given.version.number) == (PEOPLE, 3)
    said = Lake(nights.lake).read_all(PREDICTIONS)
    assert said.filter(pl.col("model_version") == 3).height == PEOPLE * 2
    assert (said["low"] <= said["value"]).all()
    files = {path: path.read_bytes() for path in sorted((nights.lake / "predictions").rglob("*.parquet"))}
    for path in [*files][2:]:  # as a night that was killed after two people
        path.unlink()
    assert predict_day(nights, study).people == PEOPLE - 2
    assert {path: path.read_bytes() for path in files} == files
    registry.point(CHAMPION, registry.version(1))


def test_drift_found_in_the_middle_of_a_night_changes_nothing_until_the_next(nights: Home, study: Study) -> None:
    """What `evaluation` decided holds for `challenger`, and for a night that was killed between the two."""
    lake, registry = Lake(nights.lake), registry_of(nights, study)
    lake.write(DRIFT, drift("eda.tonic_us", "2026-03-09"), Key(date=Date(2026, 3, 11)))
    cohort = load_cohort(nights, study)
    assert tonight(nights, study, registry, cohort).training == MICRO
    fill(nights, study, days=11, people=PEOPLE)
    refresh_moments(nights, study, quiet=True)
    decided = tonight(nights, study, registry, load_cohort(nights, study))
    assert (decided.training, decided.reason) == (MACRO, "drift since version 1: eda.tonic_us")


def drift(feature: str, since: str) -> pl.DataFrame:
    row = {
        "feature": feature, "group": "everyone", "since": Date.fromisoformat(since), "shift_sd": 2.0, "score": 9.0,
        "limit": 4.0, "people": 8, "agreeing": 1.0, "drifted": True,
    }  # fmt: skip
    return DRIFT.frame([row])


def patient_of(study: Study) -> Study:
    """The same study, which neither drift nor days make fit everything anew."""
    rarely = study.training.model_copy(update={"macro_on_drift": False, "macro_every_days": 99})
    return study.model_copy(update={"training": rarely})


def test_a_lost_twin_is_made_anew_and_kept_for_the_line(nights: Home, study: Study) -> None:
    patient = patient_of(study)
    fill(nights, study, days=11, people=PEOPLE - 1)
    live_in(nights, study, f"P{PEOPLE}", sources(answers(PEOPLE - 1, 12)))
    refresh_moments(nights, study, quiet=True)
    Lake(nights.lake).write_bytes("learning/twin.json", b'{"line": "", "files": []}')
    assert refresh_evaluation(nights, patient).fresh
    line = versions(nights, study)[0].inputs
    twin = read_twin(Lake(nights.lake), line)
    assert twin is not None
    assert read_twin(Lake(nights.lake), "another") is None
    assert json.loads((nights.lake / "evaluation/evaluation.json").read_text())["training"] == MACRO


def test_a_wished_macro_night_makes_a_macro_version_of_the_same_inputs(nights: Home, study: Study) -> None:
    patient = patient_of(study)
    updated = train_challenger(nights, patient)
    assert updated is not None
    assert updated.version.tags[TRAINING] == MICRO
    wish_macro(nights)
    made = train_challenger(nights, patient)
    assert made is not None
    assert (made.fresh, made.version.number, made.version.inputs) == (True, 5, updated.version.inputs)
    assert (made.version.tags[TRAINING], made.version.tags[REASON]) == (MACRO, "asked for by hand")
    assert macro_wished(nights)  # until a night has ended
    again = train_challenger(nights, patient)
    assert again is not None
    assert (again.fresh, again.version.number) == (False, 5)
    wish_macro(nights, wished=False)
    idle = train_challenger(nights, patient)
    assert idle is not None
    assert (idle.fresh, idle.version.number) == (False, 5)


def test_answers_taken_back_and_a_base_that_is_gone_ask_for_a_macro_night(nights: Home, study: Study) -> None:
    registry = registry_of(nights, study)
    cohort = load_cohort(nights, study)
    without = replace(cohort, answers=np.where((cohort.person == 0)[:, None], np.nan, cohort.answers))
    Lake(nights.lake).write_bytes("learning/night.json", b'{"inputs": "none", "night": {}}')
    assert tonight(nights, study, registry, without).reason == "answers of 1 people were taken back since version 5"
    Lake(nights.lake).write_bytes("learning/night.json", b'{"inputs": "none", "night": {}}')
    stored = registry.folder_of(registry.version(5)) / "artifacts" / "model" / "model.json"
    stored.write_text(json.dumps({**json.loads(stored.read_text()), "format": 0}))
    assert tonight(nights, study, registry, cohort).reason.startswith("version 5 cannot be built on: ")
