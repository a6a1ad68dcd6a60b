"""Dagster's view of the moments stage: one row per self-report, with what came before it.

Thin: `unit.py` keeps them up to date, `checks.py` judges them. Annotations stay evaluated here: Dagster reads them.
"""

from typing import Any

import dagster as dg
import polars as pl

from assets.metadata import column_schema, failures, picture
from assets.moments.checks import Verdict, blind_to_the_future, inside_scale, unique
from assets.moments.cohort import load_moments
from assets.moments.pictures import answers_picture
from assets.moments.table import modalities, moments_table
from assets.moments.unit import refresh_moments
from assets.study import Home, Study
from assets.units import Report

GROUP = "moments"
SOURCES = ["self_reports", "hrv", "eda", "motion", "temperature", "acoustic"]
CHECKS = {
    "one_moment_a_time": "No participant has two moments at one time.",
    "answers_on_their_scale": "Every answer lies between its item's `low` and `high`.",
    "nothing_from_after_the_answer": "Moments of a few people, rebuilt without what came later, are the same.",
}
COMPLETE = "everyone_computed"


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The assets of this stage for one study."""
    specs = [dg.AssetCheckSpec(name, asset="moments", blocking=True, description=d) for name, d in CHECKS.items()]
    said = "Nobody's moments failed; those that did stay as they were and are tried again."
    specs.append(dg.AssetCheckSpec(COMPLETE, asset="moments", description=said))

    @dg.asset(
        deps=[*SOURCES, *(["voice_embeddings"] if study.features.embedding_model else [])],
        group_name=GROUP,
        owners=["team:macromicro"],
        kinds={"polars", "parquet"},
        metadata=column_schema(moments_table(study)),
        check_specs=specs,
    )
    def moments() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the bare name
        """One row per self-report: the answers, and what body and voice did before them.

        Body features are averaged over the look-back before the answer, the voice is the clip recorded just before it,
        `yesterday` is the participant's previous local day. Nothing in a row comes from after its answer.
        """
        report = refresh_moments(home, study)
        frame = load_moments(home, study)
        verdicts = [
            unique(frame),
            inside_scale(frame, study),
            blind_to_the_future(home, study, frame["participant"].unique().sort().to_list()),
        ]
        verdicts.append(Verdict(not report.failed, f"moments of {len(report.failed)} people failed"))
        results = [_result(name, verdict) for name, verdict in zip([*CHECKS, COMPLETE], verdicts, strict=True)]
        return dg.MaterializeResult(metadata=_metadata(frame, report, study), check_results=results)

    return [moments]


def _metadata(frame: pl.DataFrame, report: Report, study: Study) -> dict[str, Any]:
    present = {
        f"moments with {modality}": int(
            frame.select(pl.any_horizontal(pl.col(f"{modality}.{n}").is_not_null() for n in names)).to_series().sum()
        )
        for modality, names in modalities(study).items()
    }
    facts: dict[str, Any] = {
        "dagster/row_count": frame.height,
        "participants": frame["participant"].n_unique(),
        "participants computed": len(report.computed),
        "participants unchanged": report.skipped,
        "content": report.content,
        **present,
    }
    if report.failed:
        facts["failures"] = failures(report)
    if frame.height:
        facts["answers"] = picture(answers_picture(frame), "answered self-reports by participant and day")
    return facts


def _result(name: str, verdict: Verdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=verdict.passed, check_name=name, metadata={"said": verdict.said})
