"""Dagster's view of what some studies want of the voice beside eGeMAPS: details, and a network's embeddings.

An asset exists only where `study.toml` asks for it; the units of work beside it compute. What is no longer asked for
is removed when `acoustic`, which every study has, runs next. Annotations stay evaluated here: Dagster reads the
context's type when it sees the function.
"""

from collections.abc import Callable
from datetime import date as Date
from typing import Any

import dagster as dg

from assets.features.embedding import VOICE_EMBEDDINGS, model_folder, tidy_embeddings, wanted_embeddings
from assets.features.voice_details import VOICE_DETAILS, tidy_details, wanted_details
from assets.features.wav2vec import licence
from assets.lake import Key
from assets.metadata import column_schema, unit_metadata
from assets.partitions import daily
from assets.study import Home, Study
from assets.tables import COMPARE_TABLE, DESCRIPTORS_TABLE, EMBEDDINGS_TABLE, Table
from assets.units import Unit, run_unit

Wanted = Callable[[Home, Study, set[Date] | None], dict[Key, str]]
WHAT = {
    COMPARE_TABLE: "openSMILE's 6,373 ComParE_2016 functionals of every voice clip. For your own analyses: the model "
    "does not read them.",
    DESCRIPTORS_TABLE: "openSMILE's low-level descriptors of every voice clip, one value each 10 ms. For your own "
    "analyses: the model does not read them.",
    EMBEDDINGS_TABLE: "Every voice clip as the network that `study.toml` names hears it: the mean of its last hidden "
    "layer, and the 32 fixed sums of it that the model reads. Mind the network's licence.",
}


def voice_assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The assets that this study asks for; none by default."""
    asked = [COMPARE_TABLE] if study.features.voice == "compare" else []
    asked += [DESCRIPTORS_TABLE] if study.features.voice_lld else []
    made: list[dg.AssetsDefinition | dg.AssetChecksDefinition] = []
    if asked:
        made.append(_asset(home, study, VOICE_DETAILS, asked, wanted_details, "opensmile"))
    if study.features.embedding_model:
        made.append(_asset(home, study, VOICE_EMBEDDINGS, [EMBEDDINGS_TABLE], wanted_embeddings, "pytorch"))
    return made


def tidy_voice(home: Home, study: Study) -> list[Key]:
    """Remove what no clip or no setting asks for any more; returns the participant-days removed."""
    return [*tidy_details(home, study), *tidy_embeddings(home, study)]


def _asset(home: Home, study: Study, unit: Unit, tables: list[Table], wanted: Wanted, kind: str) -> dg.AssetsDefinition:
    complete = dg.AssetCheckSpec(
        f"every_clip_in_{tables[0].name}",
        asset=tables[0].name,
        description="No day's clips failed; those that did are tried again.",
    )

    @dg.multi_asset(
        name=unit.name,
        specs=[_spec(table, kind) for table in tables],
        check_specs=[complete],
        partitions_def=daily(study),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def voice_more(context: dg.AssetExecutionContext) -> Any:  # a generator of results and the check
        dates = {Date.fromisoformat(key) for key in context.partition_keys}
        report = run_unit(unit, home, study, wanted(home, study, dates))
        told: dict[str, Any] = {}
        if unit is VOICE_EMBEDDINGS:
            told["the network's licence"] = licence(model_folder(home, study))
            context.log.info("licence of the embedding model: %s", told["the network's licence"])
        for table in tables:
            yield dg.MaterializeResult(asset_key=table.name, metadata=unit_metadata(report, table) | told)
        yield dg.AssetCheckResult(
            asset_key=tables[0].name,
            check_name=complete.name,
            passed=not report.failed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"failed participant-days": len(report.failed), "why": next(iter(report.failed.values()), "–")},
        )

    return voice_more


def _spec(table: Table, kind: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=["voice_clips"],
        description=WHAT[table],
        group_name="features",
        owners=["team:macromicro"],
        kinds={kind, "polars"},
        metadata=column_schema(table),
    )
