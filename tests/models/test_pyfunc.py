"""A model that learnt, with networks, trees and body, through plain MLflow: the numbers of the model in process."""

import json
import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from models.cohort import Cohort, Modality, feature_columns
from models.fitting import fit
from models.frame import WHY, parts
from models.macro_micro import MacroMicro
from models.packaging import WEIGHTS, save
from models.pyfunc import log_model
from models.registry import CHAMPION, Registry
from models.settings import Settings
from tests.models.people import made_up
from tests.models.registries import prepare

HOUR_US = 3_600_000_000


def with_voice(cohort: Cohort) -> Cohort:
    """The same people, whose voice tells what their heart does."""
    heart = cohort.modalities["hrv"]
    voice = Modality(heart.names, heart.values[:, ::-1], heart.past_mean[:, ::-1], heart.past_sd[:, ::-1], heart.past_n)
    return replace(cohort, modalities={"hrv": heart, "voice": voice})


@pytest.fixture(scope="module")
def learnt() -> tuple[MacroMicro, Cohort]:
    cohort = with_voice(made_up(people=4, days=14, coupling=2.0))
    # Of four people too few are held back to leave anything out: that is the matter of `test_worth.py`.
    model = fit(cohort, Settings(max_epochs=20, members=2, trees=10, width=16, seed=1))
    assert model.network is not None
    assert model.forest is not None
    return model, cohort


@pytest.fixture(scope="module")
def registry(learnt: tuple[MacroMicro, Cohort], tmp_path_factory: pytest.TempPathFactory) -> Registry:
    model, _ = learnt
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(prepare(folder / "mlflow"))
    save(model, folder / "model")
    assert (folder / "model" / WEIGHTS).is_file()
    with registry.run("test", "test", {}) as run:
        logged = log_model(folder / "model", model, {})
    registry.point(CHAMPION, registry.register(logged, run, "test", {}))
    return registry


@pytest.fixture(scope="module")
def champion(registry: Registry) -> object:
    import mlflow

    registry.client()
    return mlflow.pyfunc.load_model("models:/macro-micro@champion", suppress_warnings=True)


def last_rows(model: MacroMicro, cohort: Cohort) -> tuple[pd.DataFrame, np.ndarray]:
    """Each person's last moment as a frame that brings its past, and where it stands in the cohort."""
    rank, count = cohort.rank()
    rows, asked = np.flatnonzero(rank + 1 == count), []
    for row in rows:
        before = np.arange(row - rank[row], row)
        line: dict[str, object] = {
            "participant": cohort.participants[cohort.person[row]],
            "time_us": cohort.time_us[row],
            "day": pd.Timestamp(cohort.day[row], unit="D"),
            "local_hour": cohort.local_hour[row],
            "past_age_h": (cohort.time_us[row] - cohort.time_us[before]) / HOUR_US,
        }
        line |= {f"past_{item.name}": cohort.answers[before, k] for k, item in enumerate(cohort.items)}
        for name, m in cohort.modalities.items():
            line[f"{name}.past_n"] = float(m.past_n[row])
            for k, feature in enumerate(m.names):
                line[f"{name}.{feature}"] = m.values[row, k]
                line[f"{name}.{feature}.past_mean"] = m.past_mean[row, k]
                line[f"{name}.{feature}.past_sd"] = m.past_sd[row, k]
        asked.append(line)
    return pd.DataFrame(asked), rows


def unread(model: MacroMicro, cohort: Cohort, rows: np.ndarray, modality: str) -> np.ndarray:
    """What the model says of rows whose modality was not measured."""
    gone = cohort.modalities[modality].masked(np.ones(len(cohort), dtype=np.bool_))
    return model.predict(replace(cohort, modalities={**cohort.modalities, modality: gone}), rows).value


def test_every_part_moves_estimates_and_all_come_through_mlflow_as_they_are(
    learnt: tuple[MacroMicro, Cohort], champion: object
) -> None:
    model, cohort = learnt
    frame, rows = last_rows(model, cohort)
    said = champion.predict(frame, params={"why": True})  # type: ignore[attr-defined]
    own = model.predict(cohort, rows, why=True)
    assert set(parts(model.features)) == {"hrv", "voice", "history", "person"}
    for part in parts(model.features):
        moved = said[f"{WHY}{part}"].to_numpy().reshape(len(rows), -1)
        assert np.abs(moved).max() > 1e-3, f"{part} moves nothing"
        np.testing.assert_allclose(moved, own.moved[part], atol=1e-6)
    for name in ("value", "low", "high"):
        np.testing.assert_allclose(said[name].to_numpy().reshape(len(rows), -1), getattr(own, name), atol=1e-6)
    assert said["known_person"].all()


def test_a_row_with_any_modality_missing_is_answered_whether_its_columns_are_empty_or_left_out(
    learnt: tuple[MacroMicro, Cohort], champion: object
) -> None:
    model, cohort = learnt
    frame, rows = last_rows(model, cohort)
    columns = {m: feature_columns({m: names}) for m, names in model.features.items()}
    one, place = frame.iloc[[0, 0, 0]].reset_index(drop=True), rows[:1]
    for line, modality in enumerate(columns):
        one.loc[line, columns[modality]] = np.nan
    said = champion.predict(one)["value"].to_numpy().reshape(3, -1)  # type: ignore[attr-defined]
    for line, modality in enumerate(columns):
        np.testing.assert_allclose(said[[line]], unread(model, cohort, place, modality), atol=1e-6)
        left_out = champion.predict(frame.iloc[:1].drop(columns=columns[modality]))  # type: ignore[attr-defined]
        np.testing.assert_allclose(left_out["value"], said[line], atol=1e-6)
    np.testing.assert_allclose(said[[2]], model.predict(cohort, place).value, atol=1e-6)
    whole = one.iloc[[2]].astype({f"{m}.past_n": np.int64 for m in columns})
    np.testing.assert_allclose(champion.predict(whole)["value"], said[2], atol=1e-6)  # type: ignore[attr-defined]


def test_unwrapped_it_says_the_same_and_what_is_wrong_with_a_frame(
    learnt: tuple[MacroMicro, Cohort], champion: object
) -> None:
    frame, _ = last_rows(*learnt)
    unwrapped = champion.unwrap_python_model()  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(unwrapped.predict(None, frame), champion.predict(frame))  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="the frame lacks local_hour") as caught:
        unwrapped.predict(None, frame.drop(columns="local_hour"))
    assert type(caught.value) is ValueError


def test_mlflow_hands_a_frame_on_as_it_is_and_we_check_it(learnt: tuple[MacroMicro, Cohort], champion: object) -> None:
    """MLflow looks at each column by itself, for longer than an estimate takes, and prints what it refuses."""
    frame, _ = last_rows(*learnt)
    one, name = frame.iloc[:1].reset_index(drop=True), "hrv.f0"
    wanted = champion.predict(one.assign(**{name: 70.0}))["value"].to_list()  # type: ignore[attr-defined]
    for whole in (np.array([70]), np.array([70], np.int8), pd.array([70], dtype="Int64")):
        assert champion.predict(one.assign(**{name: whole}))["value"].to_list() == wanted  # type: ignore[attr-defined]
    for wrong in ("70", pd.Timestamp("2026-03-20"), [70.0], np.inf):
        with pytest.raises(Exception, match=name) as caught:
            champion.predict(one.assign(**{name: [wrong]}))  # type: ignore[attr-defined]
        assert type(caught.value) is ValueError
    with pytest.raises(Exception, match=f"the frame has {name} twice"):
        champion.predict(pd.concat([one, one[[name]]], axis=1))  # type: ignore[attr-defined]


def test_a_misspelt_column_is_not_passed_over_in_silence(learnt: tuple[MacroMicro, Cohort], champion: object) -> None:
    frame, _ = last_rows(*learnt)
    one = frame.iloc[:1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        champion.predict(one.assign(**{"hrv.coverage": 1.0}))  # type: ignore[attr-defined]
        assert not caught
        more = pd.DataFrame([[70.0, True, 7]], columns=["hrv_f0", "Nightly", 7], index=one.index)
        champion.predict(pd.concat([one, more], axis=1))  # type: ignore[attr-defined]
    assert [str(told.message) for told in caught] == ["this model does not read hrv_f0, Nightly, 7"]


def test_json_may_ask_for_rows_columns_or_one_row(learnt: tuple[MacroMicro, Cohort], champion: object) -> None:
    frame, _ = last_rows(*learnt)
    asked = frame.assign(day=frame["day"].dt.strftime("%Y-%m-%d"))
    records = [{name: _plain(value) for name, value in row.items()} for row in asked.to_dict("records")]
    columns = {name: [row[name] for row in records] for name in records[0]}
    wanted = champion.predict(frame)["value"]  # type: ignore[attr-defined]
    for way in (records, columns):
        np.testing.assert_allclose(champion.predict(way)["value"], wanted, atol=1e-6)  # type: ignore[attr-defined]
    for one in (records[1], frame.iloc[1], pl.from_pandas(frame.iloc[[1]])):
        said = champion.predict(one)["value"]  # type: ignore[attr-defined]
        np.testing.assert_allclose(said, wanted[len(said) : 2 * len(said)], atol=1e-6)
    nothing = {name: [] if name.startswith("past_") else value for name, value in records[1].items()}
    assert len(champion.predict({**nothing, "participant": 7})) == len(learnt[0].items)  # type: ignore[attr-defined]


def test_what_is_no_frame_is_refused_and_says_what_may_be_asked(
    learnt: tuple[MacroMicro, Cohort], champion: object
) -> None:
    frame, _ = last_rows(*learnt)
    one = frame.iloc[0].to_dict()
    for given, told in (
        ("P000", "not with str"),
        (None, "not with NoneType"),
        ([one, None], "not with list"),
        ([one, {"participant": "P001"}], "lacks time_us"),
        ({**{name: [value] for name, value in one.items()}, "day": []}, "lists of one length"),
        ({**one, "participant": None}, "participant must be given"),
    ):
        with pytest.raises(ValueError, match=told):
            champion.predict(given)  # type: ignore[attr-defined]


def _plain(value: object) -> object:
    """As JSON has it: no arrays, no NaN."""
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    return None if isinstance(value, float) and np.isnan(value) else value


def test_mlflow_s_server_answers_its_own_example_and_says_what_is_wrong(registry: Registry, champion: object) -> None:
    from mlflow.pyfunc.scoring_server import invocations

    folder = registry.folder_of(registry.aliased(CHAMPION))
    example = json.loads((folder / "serving_input_example.json").read_text())

    def ask(payload: dict[str, object]) -> list[dict[str, object]]:
        said = invocations(json.dumps(payload), "application/json", champion, None)
        assert said.status == 200
        out: list[dict[str, object]] = json.loads(said.response)["predictions"]
        return out

    said = ask(example)
    assert {row["participant"] for row in said} == {"EXAMPLE1", "EXAMPLE2"}
    assert not any(name.startswith(WHY) for name in said[0])
    assert f"{WHY}history" in ask({**example, "params": {"why": True}})[0]
    with pytest.raises(Exception, match="unexpected error") as caught:
        ask({"inputs": [{**example["inputs"][0], "local_hour": 25}]})
    assert "local_hour must be an hour of the wall clock" in caught.value.serialize_as_json()


def test_missing_values_and_types_may_be_written_in_every_way_of_pandas(
    learnt: tuple[MacroMicro, Cohort], champion: object
) -> None:
    frame, _ = last_rows(*learnt)
    one = frame.iloc[:1].reset_index(drop=True)
    count, feature, answers = "hrv.past_n", "hrv.f0", f"past_{learnt[1].items[0].name}"
    past = list(one[answers].iloc[0])
    unwrapped = champion.unwrap_python_model()  # type: ignore[attr-defined]
    whole = one.assign(local_hour=[13.0], **{count: np.nan, feature: np.nan, answers: [[np.nan, *past[1:]]]})
    wanted = unwrapped.predict(None, whole)["value"].to_list()
    missing = pd.array([pd.NA], dtype="Int64")
    for changed in (
        whole.assign(local_hour=[13]),
        whole.assign(participant=whole["participant"].astype("category")),
        whole.assign(participant=whole["participant"].astype("string")),
        whole.assign(day=[whole["day"].iloc[0].date()]),
        whole.assign(day=whole["day"].dt.tz_localize("Europe/Berlin")),
        whole.assign(**{count: missing}),
        whole.assign(**{count: [None]}),
        whole.assign(**{answers: [[pd.NA, *past[1:]]]}),
        whole.assign(**{answers: [(None, *past[1:])]}),
        whole.assign(nightly=[pd.NA]),
        whole.drop(columns=[count, feature]),
    ):
        assert champion.predict(changed)["value"].to_list() == wanted  # type: ignore[attr-defined]
        assert unwrapped.predict(None, changed)["value"].to_list() == wanted
    lists = ["past_age_h", *(f"past_{item.name}" for item in learnt[1].items)]
    none = [champion.predict(one.assign(**{n: [nothing] for n in lists})) for nothing in ([], None, np.nan, pd.NA)]  # type: ignore[attr-defined]
    assert len({tuple(said["value"]) for said in none}) == 1


def test_a_frame_that_is_refused_is_not_printed(learnt: tuple[MacroMicro, Cohort], champion: object) -> None:
    frame, _ = last_rows(*learnt)
    one = frame.iloc[:1]
    answer = f"{one[f'past_{learnt[1].items[0].name}'].iloc[0][-1]:.4f}"
    for wrong, column in (
        (one.drop(columns="day"), "day"),
        (one.assign(local_hour="noon"), "local_hour"),
        (one.assign(participant=pd.NA), "participant"),
        (one.assign(nightly=2), "nightly"),
        (one.assign(past_age_h=[3.0]), "past_age_h"),
        (
            one.assign(
                **{f"past_{learnt[1].items[0].name}": [[*one[f"past_{learnt[1].items[0].name}"].iloc[0][:-1], 777]]}
            ),
            "past_",
        ),
    ):
        with pytest.raises(Exception, match=column) as caught:
            champion.predict(wrong)  # type: ignore[attr-defined]
        assert type(caught.value) is ValueError
        assert answer not in str(caught.value)
        assert len(str(caught.value)) < 300


def test_a_model_says_what_its_own_code_says_whatever_else_is_called_models(
    registry: Registry, champion: object, learnt: tuple[MacroMicro, Cohort], tmp_path: Path
) -> None:
    """Two versions side by side, the older of which is of other code, and the project's own package `models`."""
    import mlflow.pyfunc

    newer, older = registry.folder_of(registry.aliased(CHAMPION)), tmp_path / "older"
    shutil.copytree(newer, older)
    code = older / "code" / "models" / "frame.py"
    code.write_text(code.read_text().replace("out[name][which] = values", "out[name][which] = values + 1000.0"))
    frame, _ = last_rows(*learnt)
    before = sys.modules["models.frame"]
    first, second, third = (mlflow.pyfunc.load_model(str(f), suppress_warnings=True) for f in (older, newer, older))
    wanted = champion.predict(frame)["value"].to_numpy()  # type: ignore[attr-defined]
    for model, more in ((first, 1000.0), (second, 0.0), (third, 1000.0)):
        np.testing.assert_allclose(model.predict(frame)["value"].to_numpy(), wanted + more)
    assert sys.modules["models.frame"] is before
    assert not [entry for entry in sys.path if entry.endswith("/code")]


def test_a_logged_model_does_not_tell_where_it_was_made(registry: Registry) -> None:
    told = (registry.folder_of(registry.aliased(CHAMPION)) / "MLmodel").read_text()
    assert "uri: model\n" in told
    assert "model_code_path: served.py\n" in told
    assert str(Path(__file__).parents[2]) not in told


def test_a_prompt_that_nobody_answered_moves_no_estimate(learnt: tuple[MacroMicro, Cohort], champion: object) -> None:
    frame, _ = last_rows(*learnt)
    asked = frame.copy()
    for name in [f"past_{item.name}" for item in learnt[1].items]:
        asked[name] = [np.append(past, np.nan) for past in frame[name]]
    asked["past_age_h"] = [np.append(ages, 0.1) for ages in frame["past_age_h"]]
    said, before = (champion.predict(f)["value"] for f in (asked, frame))  # type: ignore[attr-defined]
    np.testing.assert_allclose(said, before, atol=1e-6)


def test_past_answers_may_be_whole_and_an_item_without_one_may_be_none(
    learnt: tuple[MacroMicro, Cohort], champion: object
) -> None:
    frame, _ = last_rows(*learnt)
    names = [f"past_{item.name}" for item in learnt[1].items]
    plain = frame.iloc[:1].copy()
    for name in names:
        plain[name] = [np.append(np.round(plain[name].iloc[0][:-1]), np.nan)]
    wanted = champion.predict(plain)["value"]  # type: ignore[attr-defined]
    for name in names:
        plain[name] = [[None if np.isnan(v) else int(v) for v in plain[name].iloc[0]]]
    assert champion.predict(plain)["value"].to_list() == wanted.to_list()  # type: ignore[attr-defined]


def test_the_signature_tells_what_comes_back_and_what_may_be_asked(
    learnt: tuple[MacroMicro, Cohort], champion: object
) -> None:
    signature = champion.metadata.signature  # type: ignore[attr-defined]
    said = {c.name: c.required for c in signature.outputs}
    assert [name for name, needed in said.items() if needed] == [
        "participant", "time_us", "item", "value", "low", "high", "known_person",
    ]  # fmt: skip
    assert [name for name, needed in said.items() if not needed] == [
        "why.hrv",
        "why.voice",
        "why.history",
        "why.person",
    ]
    assert [p.name for p in signature.params] == ["why"]
    past = [f"past_{i.name}" for i in learnt[0].items]
    needed = [c.name for c in signature.inputs if c.required]
    assert needed == ["participant", "time_us", "day", "local_hour", "past_age_h", *past]
    assert {str(c.type) for c in signature.inputs if "." in c.name} == {"DataType.double"}
