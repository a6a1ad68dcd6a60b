"""`show`: one participant's day as a picture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.context import options


def show(
    context: typer.Context,
    participant: Annotated[str, typer.Argument(help="Study code.")],
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Local day, such as 2026-03-01.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="The PNG. Default: PARTICIPANT_DAY.png here.", show_default=False)
    ] = None,
) -> None:
    """Draw a participant's day: signals with beats and responses, what was not used, HRV and skin, answers and clips.

    Example: [dim]macromicro --home study show P001 2026-03-01[/]
    """
    from assets.features.day_frames import day_frames
    from assets.features.picture_day import picture_day, png

    chosen = options(context)
    frames = day_frames(chosen.home, chosen.home.study(), participant, day.date())
    path = out or Path(f"{participant}_{day:%Y-%m-%d}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(picture_day(frames)))
    chosen.console.print(f"{path} shows {participant} on {day:%Y-%m-%d}.", markup=False, highlight=False)
