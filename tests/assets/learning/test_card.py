"""The model card says what a version is and how good, and nothing of anybody in particular."""

import re

import numpy as np
import polars as pl

from assets.learning.card import card, pictures
from assets.learning.honest_table import number
from assets.learning.pictures import levels_picture
from assets.learning.tables import PREQUENTIAL
from assets.study import Study
from models.registry import Version

FIGURES = {
    "pooled_ccc": 0.71, "pooled_ccc_ci.low": 0.68, "pooled_ccc_ci.high": 0.74, "mae": 10.5, "coverage": 0.9,
    "coverage_worst_decile": 0.82, "lift_over_ewma.mean": 0.01, "lift_over_ewma.ci.low": -0.002,
    "lift_over_ewma.ci.high": 0.02, "lift_over_ewma.improved": 0.654, "lift_over_ewma.worst_decile": -0.03,
    "without.voice.ccc.mean": 0.02, "without.voice.ccc.ci.low": 0.01, "without.voice.ccc.ci.high": 0.03,
    "without.voice.mae.mean": 0.001, "without.voice.mae.ci.low": 0.0, "without.voice.mae.ci.high": 0.002,
}  # fmt: skip


def prequential() -> pl.DataFrame:
    random = np.random.default_rng(0)
    rows = [
        {"participant": f"P{p}", "time_us": n, "item": "happy", "answer": float(a), "value": float(a) + 5.0,
         "low": float(a) - 10.0, "high": float(a) + 10.0, "baseline": float(a) + (9.0 if p < 3 else 1.0)}
        for p in range(4) for n, a in enumerate(random.uniform(0, 100, 30))
    ]  # fmt: skip
    return PREQUENTIAL.frame(rows)


MADE = {
    "people": "12", "answers": "345", "answers_each": "9 to 40, median 30", "inputs": "abc", "moments": "4ab",
    "trained_since": "2026-01-02", "trained_until": "2026-02-03", "measured": "hrv 81%, voice 40%",
    "gate": "promoted", "reads": "earlier answers, hrv", "made_with": "Python 3.11.7, torch 2.13.0",
}  # fmt: skip


def test_a_card_tells_data_figures_limits_and_licences(study: Study) -> None:
    version = Version(7, "run", MADE)
    text = card(version, study, {"P2": {"macro_micro": FIGURES, "ewma": {"pooled_ccc": 0.69, "mae": 11.0}}})
    assert text.startswith("# macro-micro, version 7")
    assert "| people | 12 |" in text
    cells = "0.710 (0.680 … 0.740) | – | – | 10.50 | – | 1.00 (−0.20 … 2.00) | 65% | −3.00 | 0.900, 0.820"
    assert f"| macro micro | {cells} |" in text
    assert "pooled CCC (95 %)" in text
    assert text.index("| macro micro |") < text.index("| ewma |")
    assert "| voice | 0.020 (0.010 … 0.030) | 0.001 (0.000 … 0.002) |" in text
    for said in (
        "Not a medical device",
        "research and non-commercial",
        "abc",
        "| worried | 0 – 100 |",
        "| what is read | earlier answers, hrv |",
        "| made with | Python 3.11.7, torch 2.13.0 |",
        "they are health data",
        "| … of each person | 9 to 40, median 30 |",
        "| … from | 2026-01-02 to 2026-02-03 |",
        "| … with each modality measured | hrv 81%, voice 40% |",
        "dataset) | 4ab |",
        "those of a twin",
    ):
        assert said in text
    assert not re.search(r"[\w,;] *\n *\w", text), "MLflow shows a line break within a paragraph"


def test_a_model_without_network_has_no_table_of_modalities(study: Study) -> None:
    assert "without a modality" not in card(Version(1, "run"), study, {"P2": {"macro_micro": {"mae": 1.0}}})


def test_pictures_are_of_people_and_never_name_one(study: Study) -> None:
    drawn = pictures(prequential(), study)
    assert set(drawn) == {"predicted-and-answered.png", "reliability.png", "lift-by-person.png", "levels.png"}
    [axes] = drawn["lift-by-person.png"].axes
    assert axes.get_xlabel() == "4 people, 3 of them closer than their baseline"
    assert [round(bar.get_height(), 3) for bar in axes.patches] == [-4.0, 4.0, 4.0, 4.0]
    words = [
        t.get_text() for f in drawn.values() for a in f.axes for t in a.findobj(match=lambda o: hasattr(o, "get_text"))
    ]
    assert not any("P0" in word for word in words)


def test_levels_are_those_of_a_rating_scale_and_thirds_of_a_slider() -> None:
    rows = [
        {"participant": "P1", "time_us": n, "item": item, "answer": answer, "value": min(answer + more, 5.0),
         "low": 0.0, "high": 5.0, "baseline": 3.0}
        for item, more in (("tense", 0.4), ("tired", 1.0)) for n, answer in enumerate([1.0, 2.0, 3.0, 4.0, 5.0] * 10)
    ]  # fmt: skip
    sliders = np.random.default_rng(1).uniform(0, 100, 50)
    rows += [row | {"item": "happy", "answer": a, "value": a} for row, a in zip(rows[:50], sliders, strict=True)]
    figure = levels_picture(PREQUENTIAL.frame(rows), {"happy": (0, 100), "tense": (1, 5), "tired": (1, 5)})
    thirds, levels = figure.axes
    assert [label.get_text() for label in thirds.get_xticklabels()] == ["low", "middle", "high"]
    assert thirds.get_xlabel() == "predicted third of the scale"
    assert levels.get_ylabel() == "answered level of the scale"
    shares = np.asarray(levels.images[0].get_array())
    np.testing.assert_allclose(shares, np.eye(5) / 2 + np.eye(5, k=1) / 2 + np.diag([0, 0, 0, 0, 0.5]))


def test_a_card_tells_of_the_licence_of_a_network_of_the_study_s_own(study: Study) -> None:
    version = Version(7, "run", MADE)
    assert "Voice embeddings" not in card(version, study, {})
    told = card(version, study, {}, embedding_licence="CC BY-NC-SA 4.0")
    assert "whose licence holds for them too: CC BY-NC-SA 4.0" in told


def test_nothing_tested_means_no_picture(study: Study) -> None:
    assert pictures(PREQUENTIAL.empty(), study) == {}


def test_figures_have_true_minuses_and_none_before_nothing() -> None:
    assert [number(v) for v in (-0.00001, -1.2344, None, float("nan"))] == ["0.000", "−1.234", "–", "–"]
