"""Moments without signals: the lake's columns, nothing of the future, and the oracle beside them."""

import numpy as np
import polars as pl

from assets.moments.table import items_of, modalities, moments_table
from assets.simulated.moments import simulated_moments
from assets.simulated.world import draw_world
from assets.study import Study
from models.tables import cohort_from_frame


def test_the_columns_are_those_of_the_lake_s_moments(study: Study) -> None:
    frame = simulated_moments(study, participants=2, days=2, seed=0)
    declared = {c.name: c.dtype for c in moments_table(study).columns}
    assert {name: frame.schema[name] for name in declared} == declared
    beside = {f"{oracle}_{item}" for oracle in ("oracle", "oracle_without_senses") for item in study.items}
    assert set(frame.columns) - set(declared) == {"participant"} | beside
    cohort = cohort_from_frame(frame, items_of(study), modalities())
    assert cohort.labelled.all()


def test_the_answers_are_those_of_the_rendered_study(study: Study) -> None:
    frame = simulated_moments(study, participants=2, days=3, seed=5)
    world = draw_world(study, participants=2, days=3, seed=5)
    assert np.array_equal(frame["y_happy"].to_numpy(), np.concatenate([c.answer[c.answered, 3] for c in world.courses]))
    assert np.array_equal(frame["time_us"].to_numpy(), np.concatenate([c.time_us[c.answered] for c in world.courses]))


def test_past_values_come_from_strictly_earlier_rows(study: Study) -> None:
    frame = simulated_moments(study, participants=3, days=6, seed=1)
    for person in frame.partition_by("participant"):
        rate = person["hrv.hr_bpm"].to_numpy()
        for n in range(1, len(rate)):
            earlier = rate[:n][~np.isnan(rate[:n])]
            assert person["hrv.past_n"][n] == len(earlier)
            if len(earlier) > 1:
                assert np.isclose(person["hrv.hr_bpm.past_mean"][n], earlier.mean())
                assert np.isclose(person["hrv.hr_bpm.past_sd"][n], earlier.std(ddof=1))


def test_a_longer_study_leaves_earlier_rows_alone(study: Study) -> None:
    short, long = (simulated_moments(study, participants=1, days=d, seed=1) for d in (4, 7))
    assert short.drop(pl.selectors.starts_with("oracle")).equals(
        long.head(short.height).drop(pl.selectors.starts_with("oracle"))
    )


def test_yesterday_is_the_mean_of_the_day_before(study: Study) -> None:
    frame = simulated_moments(study, participants=1, days=4, seed=1)
    first = frame.filter(pl.col("day") == frame["day"].min())
    assert first["yesterday.temp_c"].null_count() == first.height
    later = frame.filter(pl.col("day") > frame["day"].min())
    assert later.group_by("day").agg(pl.col("yesterday.temp_c").n_unique())["yesterday.temp_c"].to_list() == [1, 1, 1]


def test_features_follow_affect_unless_the_coupling_is_cut(study: Study) -> None:
    tied, cut = (
        simulated_moments(study, participants=40, days=10, seed=3, coupling=c).with_columns(
            (pl.col("hrv.hr_bpm") - pl.col("hrv.hr_bpm").mean().over("participant")).alias("x"),
            (pl.col("y_anxious") - pl.col("y_anxious").mean().over("participant")).alias("y"),
        )
        for c in (1.0, 0.0)
    )
    assert tied.select(pl.corr("x", "y")).item() > 0.25
    assert abs(cut.select(pl.corr("x", "y")).item()) < 0.07
    assert cut["y_anxious"].equals(tied["y_anxious"])
