"""A version's model card and pictures: what it is, made from what, how good, and what it must not be used for.

Written when the gate has looked at a version, because only then is it known how good it is. Counts, figures and
pictures only: no answer of a single person, no study code. The numbers come from the evaluation's tables; making them
belongs to `evaluation.py`, the decision to `champion.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from assets.learning.honest_table import HEADER, number, rows
from assets.learning.pictures import answered_picture, levels_picture, lifts_picture, reliability_picture
from assets.learning.schedule import BASE, REASON, UPDATED
from assets.markdown import table as markdown
from assets.study import Study
from models.registry import MODEL, Version

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Each paragraph is one line of Markdown: MLflow shows a line break as one.
_WHAT = """\
Daily personal estimates of self-reported affect: a correction to a personal baseline by a shared transformer with \
personal parameters, by boosted trees, and by the habits of each person's earlier answers."""

_PROTOCOLS = """\
Parameters from the first four fifths of each person's answers up to the last night that fitted everything anew; each \
later answer predicted from everything before it (P2), or from what was known the evening before (P2N). The figures \
are those of a twin with the parameters of these four fifths; the version itself is fitted on all. Intervals are over \
people. A stretch that nobody looks into (P1) and people never trained on (P3) are no part of a night: `macromicro \
evaluate --protocol` tells of them."""

_TWIN = """\
0: not read. The twin of the tables may read other modalities than this version."""

_LIMITS = """\
- **Not a medical device.** Estimates are for research; they are no diagnosis and no ground for treating anybody.
- A pooled CCC rewards knowing who somebody is: read it beside the CCC within people, the MAE and the personal mean.
- It was fitted on the people of one study. For anybody else it says what people of that study say, moved by the \
answers that are given with the question.
- Intervals are made to hold {coverage:.0%} of the answers over people; for one person they may hold fewer.
- Body and voice are recorded by the participants: what was not measured is told to the model as missing.
- Its files hold the study codes of the people it was fitted on, the time of each one's last answer and the parameters \
learned of them: they are health data, to be given on as such."""

_LICENCES = """\
Code: Apache-2.0. Voice features are openSMILE's eGeMAPSv02, whose licence allows research and non-commercial use \
only; whoever uses this model with voice needs to keep to it. Weights belong to the study that trained them."""

_EMBEDDINGS = """\
Voice embeddings come from the network that the study named, whose licence holds for them too: {licence}"""


def card(
    version: Version,
    study: Study,
    table: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    *,
    embedding_licence: str = "",
) -> str:
    """The card as Markdown.

    Args:
        version: the version with its tags.
        study: its settings; items and scales are named.
        table: figures by protocol and model, nested figures with dotted names.
        embedding_licence: what the study's own network for voice embeddings says of its licence, where it has one.
    """
    tags = version.tags
    items = [(name, f"{item.low:g} – {item.high:g}") for name, item in study.items.items()]
    decision = f"{tags.get('gate', 'not decided')}: {tags.get('gate_reason', '')}"
    parts = [
        f"# {MODEL}, version {version.number}",
        _WHAT,
        "## Made from",
        markdown(
            ("what", "how much"),
            [
                ("study", study.study.name),
                ("people", tags.get("people", "")),
                ("self-reports", tags.get("answers", "")),
                ("… of each person", tags.get("answers_each", "")),
                ("… from", f"{tags.get('trained_since', '')} to {tags.get('trained_until', '')}"),
                ("… with each modality measured", tags.get("measured", "")),
                ("what is read", tags.get("reads", "")),
                ("kind", tags.get("kind", "")),
                ("night", _night(tags)),
                ("digest of the moments (its run's dataset)", tags.get("moments", "")),
                ("digest of data, settings and code", version.inputs),
                ("made with", tags.get("made_with", "")),
            ],
        ),
        tags.get("note", ""),
        "## Items",
        markdown(("item", "scale"), items),
        "## How good",
        _PROTOCOLS,
        *(_protocol(protocol, models) for protocol, models in table.items()),
        *(_without(protocol, models.get("macro_micro", {})) for protocol, models in table.items()),
        f"The gate, on the night of this version: {decision}",
        "Who made it champion by hand since, and why, stands in its tag `decided`.",
        "## Limits",
        _LIMITS.format(coverage=study.gate.coverage),
        "## Licences",
        _LICENCES,
        _EMBEDDINGS.format(licence=embedding_licence) if embedding_licence else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def pictures(prequential: pl.DataFrame, study: Study) -> dict[str, Figure]:
    """Pictures of how good a version is, by file name; none where no answer was tested."""
    tested = prequential.filter(pl.col("answer").is_not_null())
    if tested.is_empty():
        return {}
    scales = {name: (item.low, item.high) for name, item in study.items.items()}
    return {
        "predicted-and-answered.png": answered_picture(prequential, scales),
        "reliability.png": reliability_picture(tested, study.gate.coverage),
        "lift-by-person.png": lifts_picture(tested, scales),
        "levels.png": levels_picture(tested, scales),
    }


def _night(tags: Mapping[str, str]) -> str:
    """How the version came about: fitted anew, or updated from which version; and why."""
    made = f"updated from version {tags[BASE]}: {tags.get(UPDATED, '')}" if BASE in tags else "all layers fitted anew"
    return f"{made} ({tags[REASON]})" if REASON in tags else made


def _protocol(name: str, models: Mapping[str, Mapping[str, float | None]]) -> str:
    return f"### {name}\n\n" + markdown(HEADER, rows(models))


def _without(protocol: str, figures: Mapping[str, float | None]) -> str:
    """What each modality adds: how much worse the model is where it was not measured."""
    names = [name.split(".")[1] for name in figures if name.startswith("without.") and name.endswith(".ccc.mean")]
    lines = [
        [
            name,
            *(
                f"{number(figures[f'{start}.mean'])} ({number(figures[f'{start}.ci.low'])} … "
                f"{number(figures[f'{start}.ci.high'])})"
                for start in (f"without.{name}.ccc", f"without.{name}.mae")
            ),
        ]
        for name in names
    ]
    heads = ("not measured", "fall of CCC (95 %)", "rise of error, share of the scale (95 %)")
    return f"### {protocol}, without a modality\n\n{_TWIN}\n\n" + markdown(heads, lines) if lines else ""
