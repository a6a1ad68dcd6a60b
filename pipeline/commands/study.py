"""`init` and `simulate`: making a study."""

from __future__ import annotations

from typing import Annotated

import typer

from assets.errors import StudyError
from pipeline.commands.context import options


def init(
    context: typer.Context,
    *,
    timezone: Annotated[str, typer.Option(help="The study's time zone, such as Europe/Berlin.")],
    name: Annotated[str, typer.Option(help="What the study is called in pages and reports.")] = "study",
    if_absent: Annotated[
        bool, typer.Option("--if-absent", help="Do nothing where the home has its settings already.")
    ] = False,
) -> None:
    """Make a study's home: its folders and a commented [bold]study.toml[/].

    Example: [dim]macromicro --home study init --timezone Europe/Berlin[/]

    Then edit study/study.toml (items, windows, schedule) and copy what devices wrote to study/inbox/<participant>/.
    Participants are study codes, never names. An existing study.toml is never overwritten.
    """
    from assets.study import read_study
    from pipeline.instance import prepare
    from pipeline.template import study_text

    chosen = options(context)
    home, console = chosen.home, chosen.console
    if home.study_file.exists():
        if if_absent:
            console.print(f"{home.study_file} is there already; nothing was changed.", highlight=False)
            return
        message = f"{home.study_file} is there already. Edit it, or name another home."
        raise StudyError(message)
    for folder in (home.root, home.inbox, home.lake, home.mlflow):
        folder.mkdir(parents=True, exist_ok=True)
    prepare(home)
    draft = home.study_file.with_suffix(".new")
    draft.write_text(study_text(name, timezone))
    try:
        read_study(draft)
    except StudyError:
        draft.unlink()
        raise
    draft.replace(home.study_file)
    console.print(f"Made [bold]{home.root}[/]. Its settings: {home.study_file}", highlight=False)
    console.print(f"Next: copy dumps to {home.inbox}/<participant>/, or try: simulate; then: run", highlight=False)


def simulate(
    context: typer.Context,
    participants: Annotated[int, typer.Option(min=1, max=999, help="How many people.")] = 10,
    days: Annotated[int, typer.Option(min=1, max=365, help="How many days each.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    coupling: Annotated[
        float, typer.Option(min=0, help="How strongly body and voice carry affect; 0 cuts them off.")
    ] = 1.0,
    body: Annotated[float, typer.Option(min=0, help="How strongly the body alone carries affect.")] = 1.0,
    voice: Annotated[float, typer.Option(min=0, help="How strongly the voice alone carries affect.")] = 1.0,
) -> None:
    """Fill the inbox with a made-up study, written as real devices write.

    Example: [dim]macromicro --home study simulate --participants 10 --days 12 --seed 1[/]

    Empatica E4 zips, a WAV clip for each prompt, and self-reports. The truth behind them goes beside the inbox, to
    truth.parquet: with --coupling 0 no method should find anything in body or voice.
    """
    from assets.simulated.study import simulate as write

    chosen = options(context)
    made = write(
        chosen.home,
        chosen.home.study(),
        participants=participants,
        days=days,
        seed=seed,
        coupling=coupling,
        body=body,
        voice=voice,
    )
    for line in (
        f"Wrote {made.participants} people × {made.days} days to {chosen.home.inbox} in {made.seconds:.0f} s:",
        f"  {made.sessions} wristband sessions of {made.hours:.0f} h, {made.answers} of {made.prompts} prompts,",
        f"  {made.bytes / 1e6:.0f} MB. The truth behind them: {chosen.home.root / 'truth.parquet'}",
        f"  An oracle that knows it reaches CCC {made.oracle_ccc:.3f};",
        f"  without body and voice it reaches {made.oracle_without_senses_ccc:.3f}.",
    ):
        chosen.console.print(line, highlight=False, soft_wrap=True)
