"""A figure as pixels, drawn once: saving one draws it twice, and laying it out is most of the work.

What is done with the pixels (colours, size, where they go) is the caller's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


def pixels(figure: Figure, dpi: float) -> Image:
    """A figure at a resolution, as RGB on its own ground.

    Its parts stay where the first drawing put them: the layout is in shares of the figure, whatever the resolution.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(dpi)
    canvas.draw()  # type: ignore[no-untyped-call]
    figure.set_layout_engine("none")
    drawn = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    return Image.frombuffer("RGBA", canvas.get_width_height(), drawn).convert("RGB")
