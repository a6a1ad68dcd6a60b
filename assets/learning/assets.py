"""Dagster's view of the learning stage: the honest table, the night's version, and the gate.

Thin: the files beside it work. Annotations stay evaluated here: Dagster reads them.
"""

from typing import Any

import dagster as dg
import polars as pl

from assets.lake import Lake
from assets.learning.challenger import Trained, train_challenger
from assets.learning.champion import Judged, judge
from assets.learning.evaluation import Evaluated, refresh_evaluation
from assets.learning.honest_table import HEADER, ITEM_HEADER, by_item, number, rows
from assets.learning.pictures import answered_picture, curve_picture
from assets.learning.schedule import BASE, MACRO, REASON, TRAINING, UPDATED
from assets.learning.tables import EVALUATION, PREQUENTIAL
from assets.learning.wishes import MACRO_TAG
from assets.metadata import column_schema, markdown_table, picture
from assets.study import Home, Study

GROUP = "learning"
OWNERS = ["team:macromicro"]
SHOWN = (TRAINING, REASON, BASE, UPDATED, "kind", "answers", "people", "trained_until", "note")
TOLD = {TRAINING: "kind of night", REASON: "why", BASE: "built on version"}
AFTER_DAYS = "nothing was learnt: nobody has answered yet"


def assets(home: Home, study: Study) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """The assets of this stage for one study."""
    return [_evaluation(home, study), _challenger(home, study), _champion(home, study)]


def _evaluation(home: Home, study: Study) -> dg.AssetsDefinition:
    @dg.asset(
        deps=["moments"],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"torch", "polars"},
        metadata=column_schema(EVALUATION),
    )
    def evaluation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """How good the model is beside every baseline.

        Everything is fitted on the first 80 % of each person's answers; each later answer is then predicted from what
        lies strictly before it (P2), or from what was known at the end of the day before (P2N). On ordinary nights
        nothing is fitted: the model of the last macro night is tested on everything since.
        """
        done = refresh_evaluation(home, study, lambda text, _: context.log.info(text), macro=_macro(context))
        return dg.MaterializeResult(metadata=_table_metadata(home, study, done))

    return evaluation


def _challenger(home: Home, study: Study) -> dg.AssetsDefinition:
    @dg.asset(deps=["moments"], group_name=GROUP, owners=OWNERS, kinds={"torch", "mlflow"})
    def challenger(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """The night's new version of `macro-micro`, registered in MLflow as challenger.

        On a macro night all layers are fitted on every answer; on the others new answers move the personal (micro)
        parameters of those who gave them. `[training]` of `study.toml` says when; a run with the tag
        `macromicro/training: macro` is a macro night. With nothing new since the last version, that version stays
        and nothing is registered.
        """

        def say(epoch: int, figures: dict[str, float]) -> None:
            if epoch % 10 == 0:
                context.log.info("epoch %d: loss %.4f, validation %.4f", epoch, figures["loss"], figures["score"])

        trained = train_challenger(home, study, say, macro=_macro(context))
        return dg.MaterializeResult(metadata=_version_metadata(trained) if trained else {"said": AFTER_DAYS})

    return challenger


def _champion(home: Home, study: Study) -> dg.AssetsDefinition:
    @dg.asset(deps=["evaluation", "challenger"], group_name=GROUP, owners=OWNERS, kinds={"mlflow"})
    def champion() -> dg.MaterializeResult:  # type: ignore[type-arg]
        """The gate: the challenger becomes champion only on paired evidence over people, and harms nobody.

        The decision, its reason and its figures are tags of the version in MLflow.
        """
        judged = judge(home, study)
        return dg.MaterializeResult(metadata=_decision_metadata(judged) if judged else {"said": AFTER_DAYS})

    return champion


def _macro(context: dg.AssetExecutionContext) -> bool:
    """Whether whoever started the run asked for all layers anew."""
    return context.run.tags.get(MACRO_TAG) == MACRO


def _table_metadata(home: Home, study: Study, done: Evaluated) -> dict[str, Any]:
    facts: dict[str, Any] = {"made anew": done.fresh}
    if done.note:
        facts["note"] = done.note
    for protocol, models in done.table.items():
        facts[protocol] = markdown_table(HEADER, rows(models))
        facts[f"{protocol} by item"] = markdown_table(ITEM_HEADER, by_item(models))
    prequential = Lake(home.lake).read(PREQUENTIAL)
    if prequential["answer"].is_not_null().any():
        scales = {name: (item.low, item.high) for name, item in study.items.items()}
        facts["predicted and answered"] = picture(answered_picture(prequential, scales), "predicted against answered")
        facts["dagster/row_count"] = prequential.filter(pl.col("answer").is_not_null()).height
    return facts


def _version_metadata(trained: Trained) -> dict[str, Any]:
    tags = trained.version.tags
    facts: dict[str, Any] = {
        "version": trained.version.number,
        "registered now": trained.fresh,
        "MLflow run": trained.version.run_id,
        "inputs": trained.version.inputs,
        **{TOLD.get(name, name): tags[name] for name in SHOWN if tags.get(name)},
    }
    if trained.curve:
        facts["epochs"] = len(trained.curve)
        facts["training"] = picture(curve_picture(trained.curve), "training loss and validation score by epoch")
    return facts


def _decision_metadata(judged: Judged) -> dict[str, Any]:
    facts: dict[str, Any] = {"version": judged.version.number}
    if judged.decision is None:
        return {**facts, "said": "it is champion already; there is nothing to decide"}
    figures = [(name, number(value)) for name, value in judged.decision.figures.items()]
    return {
        **facts,
        "decision": "promoted" if judged.decision.promote else "declined",
        "reason": judged.decision.reason,
        "against": f"version {judged.against.number}" if judged.against else "the personal baseline",
        "figures": markdown_table(("figure", "value"), figures),
    }
