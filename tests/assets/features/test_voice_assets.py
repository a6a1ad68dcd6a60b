from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.features.assets import assets
from assets.features.voice_assets import voice_assets
from assets.features.wav2vec import fingerprint
from assets.lake import Lake
from assets.moments.table import EMBEDDED, items_of, modalities, moments_table
from assets.study import Home, Study
from assets.tables import ACOUSTIC_TABLE, COMPARE_TABLE, DESCRIPTORS_TABLE, EMBEDDINGS_TABLE
from models.protocols import nightly_view
from models.tables import cohort_from_frame
from tests.assets.features.test_acoustic import vowel
from tests.assets.features.test_embedding import network_folder
from tests.assets.features.test_voice_details import DAY, asking, spoken

pytest.importorskip("opensmile")
pytest.importorskip("transformers")


def materialized(home: Home, study: Study) -> dg.ExecuteInProcessResult:
    upstream = [dg.AssetSpec(name) for name in ("signals", "events", "voice_clips")]
    made = [a for a in assets(home, study) if isinstance(a, dg.AssetsDefinition) and a.op.name != "physiology"]
    stage = dg.Definitions(
        assets=[*upstream, *made],
        jobs=[dg.define_asset_job("stage", selection=dg.AssetSelection.groups("features"))],
    )
    tags = {f"dagster/asset_partition_range_{end}": DAY.isoformat() for end in ("start", "end")}
    with dg.DagsterInstance.ephemeral() as instance:
        return stage.resolve_job_def("stage").execute_in_process(instance=instance, tags=tags)


def test_a_study_that_asks_for_nothing_has_no_further_assets(home: Home, study: Study) -> None:
    assert voice_assets(home, study) == []


def test_what_a_study_asks_for_becomes_assets_that_tell_the_licence_and_goes_when_it_asks_no_more(
    home: Home, study: Study, tmp_path: Path
) -> None:
    folder = network_folder(tmp_path / "network")
    (folder / "LICENSE").write_text("CC BY-NC-SA 4.0\n")
    spoken(home, vowel(0.6))
    network = {"embedding_model": str(folder), "embedding_sha256": fingerprint(folder)}
    result = materialized(home, asking(study, voice="compare", voice_lld=True, **network))
    found = {e.materialization.asset_key.to_user_string(): e.materialization.metadata
             for e in result.get_asset_materialization_events()}  # fmt: skip
    tables = (ACOUSTIC_TABLE, COMPARE_TABLE, DESCRIPTORS_TABLE, EMBEDDINGS_TABLE)
    assert found.keys() == {table.name for table in tables}
    assert found["voice_embeddings"]["the network's licence"].value == "CC BY-NC-SA 4.0"
    assert [found[table.name]["dagster/row_count"].value for table in tables] == [1, 1, 90, 1]
    assert all(check.passed for check in result.get_asset_check_evaluations())
    materialized(home, study)
    assert [len(list(Lake(home.lake).keys(table))) for table in tables] == [1, 0, 0, 0]


def test_a_wrong_network_warns_and_says_why_while_the_rest_goes_on(home: Home, study: Study, tmp_path: Path) -> None:
    folder = network_folder(tmp_path / "network")
    spoken(home, vowel(0.6))
    result = materialized(home, asking(study, embedding_model=str(folder), embedding_sha256="0" * 64))
    assert result.success
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert checks["every_clip_computed"].passed
    assert not checks["every_clip_in_voice_embeddings"].passed
    assert fingerprint(folder) in checks["every_clip_in_voice_embeddings"].metadata["why"].value


def test_a_nightly_view_does_not_hear_the_clip_of_its_own_day(study: Study) -> None:
    asked = asking(study, embedding_model="net", embedding_sha256="0" * 64)
    names = modalities(asked)
    schema = {c.name: c.dtype for c in moments_table(asked).columns}
    row = {"time_us": 1, "day": DAY, "local_hour": 9.0, **{f"{EMBEDDED}.{n}": 0.5 for n in names[EMBEDDED]}}
    frame = pl.DataFrame([row], schema=schema).with_columns(participant=pl.lit("P1"))
    cohort = cohort_from_frame(frame, items_of(asked), names)
    assert set(cohort.modalities[EMBEDDED].values[0]) == {0.5}
    assert np.isnan(nightly_view(cohort)[0].modalities[EMBEDDED].values).all()
