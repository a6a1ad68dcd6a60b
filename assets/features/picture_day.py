"""One participant's day as a physiologist wants to look at it: signals, what was found in them, and what was not used.

Frames in, a figure out. All panels share the local clock. Grey ground is where nothing was recorded, a red strip
below a signal is what was recorded and not used, vertical lines are answers. Reading a day from the lake belongs to
`day_frames.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from assets.features.eda import Stretch
from assets.features.segments import Segment, Span, spans_of
from assets.raster import pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Samples = NDArray[np.float32] | NDArray[np.float64]

INK, FAINT, EMPTY, USED, UNUSED = "#1f2430", "#8a8f99", "#e9ebee", "#ffffff", "#c8453b"
PULSE, HEART, SKIN, TONIC, WARM, NIGHT = "#7b8794", "#b5324a", "#2b6cb0", "#173f6b", "#b7641c", "#6b4fa0"
COLUMNS, MOST_A_COLUMN = 1400, 12  # of a picture: with more samples in each, a signal is drawn as its extremes
DPI, SMALLER_DPIS = 130, (90, 75, 60, 45)
SHORT_H = 3.0  # up to here every interval is a dot, beyond each minute's spread
STEPS_H = (1 / 12, 1 / 6, 0.25, 0.5, 1, 2, 3)


@dataclass(frozen=True)
class DayFrames:
    """Everything there is of a participant-day.

    `stretches` are the valid stretches of skin conductance; `answers` has time_us, item and value (0–1 on its scale),
    `clips` the times of voice clips; `night` is the sleep window that ends on the day, `clock` writes a time.
    """

    title: str
    day: Span
    segments: Mapping[str, Sequence[Segment]]
    beats: pl.DataFrame
    windows: Mapping[str, pl.DataFrame]
    minutes: pl.DataFrame
    stretches: Sequence[Stretch]
    answers: pl.DataFrame
    clips: Sequence[int]
    night: Span | None
    clock: Callable[[int], str]

    @property
    def shown(self) -> Span:
        """From the first to the last thing of the day, with a margin."""
        spans = [s for name in ("acc_x", "bvp", "ecg", "eda", "temp") for s in spans_of(self.segments.get(name, ()))]
        times = [t for s in spans for t in s] + self.answers["time_us"].to_list() + list(self.clips)
        times += [t for t in (self.beats["time_us"].min(), self.beats["time_us"].max()) if isinstance(t, int)]
        if not times:
            return self.day
        first, last = max(min(times), self.day[0]), min(max(times), self.day[1])
        margin = max(30_000_000, (last - first) // 60)
        return first - margin, last + margin


def png(figure: Figure, most_bytes: int | None = None) -> bytes:
    """A figure as the bytes of a PNG of 255 colours; the largest of some resolutions that is small enough."""
    from PIL import Image

    for dpi in (DPI,) if most_bytes is None else SMALLER_DPIS:
        packed = io.BytesIO()
        picture = pixels(figure, dpi).quantize(255, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        picture.save(packed, format="PNG", optimize=True)
        if most_bytes is None or len(packed.getvalue()) <= most_bytes:
            break
    return packed.getvalue()


def picture_day(day: DayFrames) -> Figure:
    """The picture of a day; a day without any data is an empty one that says so."""
    from matplotlib.figure import Figure

    items = day.answers["item"].unique(maintain_order=True).to_list()
    lanes = len(items) + (1 if day.clips else 0)
    heights = [1.0, 1.3, 1.0, 1.3, 0.9, 1.1, max(0.35, 0.17 * lanes)]
    figure = Figure(figsize=(11, 1.25 * sum(heights)), layout="constrained")
    figure.suptitle(day.title, x=0.01, ha="left", fontsize=11, color=INK)
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    draw = (_pulse, _intervals, _variability, _skin, _responses, _movement)
    for axes, panel in zip(panels, draw, strict=False):
        _dress(axes)
        panel(axes, day)
    _answers(panels[-1], day, items)
    for axes in panels:
        for time in day.answers["time_us"].unique().to_list():
            axes.axvline(_hours(day, time), color=INK, linewidth=0.6, alpha=0.5, zorder=1.5)
        if day.night is not None:
            axes.axvspan(*(_hours(day, t) for t in day.night), color=NIGHT, alpha=0.07, linewidth=0, zorder=0.5)
    _clock(panels[-1], day)
    return figure


def _hours(day: DayFrames, time_us: float) -> float:
    return (time_us - day.day[0]) / 3.6e9


def _pulse(axes: Axes, day: DayFrames) -> None:
    name = "ecg" if day.segments.get("ecg") else "bvp"
    segments = day.segments.get(name, ())
    _ground(axes, day, spans_of(segments))
    for segment in segments:
        _signal(axes, day, segment, segment.samples, PULSE)
    _scaled(axes, [s.samples for s in segments])
    device = day.beats.filter(pl.col("source") == "device")
    if device.height:
        axes.plot(
            [_hours(day, t) for t in device["time_us"]],
            np.full(device.height, 0.95),
            "|",
            color=TONIC,
            markersize=3,
            transform=axes.get_xaxis_transform(),
        )
    said = "pulse (a.u.)" if name == "bvp" else "ECG"
    found = f"{day.beats.height:,} beats, {_share(day.beats)} of intervals valid"
    _name(axes, said, found + (f"; {device.height:,} from the device (blue)" if device.height else ""))
    _strip(axes, day, _unused_pulse(day))


def _unused_pulse(day: DayFrames) -> list[tuple[float, float]]:
    """Intervals that are not valid; over many hours, minutes of which most are not."""
    known = day.beats.filter(pl.col("rr_ms").is_not_null())
    if day.shown[1] - day.shown[0] <= SHORT_H * 3.6e9:
        wrong = known.filter(~pl.col("valid"))
        return list(wrong.select(pl.col("time_us") - pl.col("rr_ms") * 1e3, end="time_us").iter_rows())
    minutes = known.group_by(minute=pl.col("time_us") // 60_000_000 * 60_000_000).agg(share=pl.col("valid").mean())
    return [(m, m + 60_000_000) for m in minutes.filter(pl.col("share") < 0.5)["minute"].to_list()]


def _share(beats: pl.DataFrame) -> str:
    known = beats.filter(pl.col("rr_ms").is_not_null())
    return f"{100 * known['valid'].sum() / known.height:.0f} %" if known.height else "none"


def _intervals(axes: Axes, day: DayFrames) -> None:
    _ground(axes, day, [(t - 30_000_000, t + 30_000_000) for t in day.beats["time_us"].to_numpy()[::20].tolist()])
    known = day.beats.filter(pl.col("rr_ms").is_not_null())
    good, bad = known.filter("valid"), known.filter(~pl.col("valid"))
    short = known.height and _hours(day, known["time_us"][-1]) - _hours(day, known["time_us"][0]) <= SHORT_H
    if short:
        for rows, colour, size in ((bad, UNUSED, 1.2), (good, HEART, 1.6)):
            at = [_hours(day, t) for t in rows["time_us"]]
            axes.plot(at, rows["rr_ms"], ".", color=colour, markersize=size, alpha=0.9 if rows is good else 0.35)
    elif good.height:
        rows = _per_minute(good)
        at = [_hours(day, t + 30_000_000) for t in rows["minute"]]
        axes.vlines(at, rows["low"], rows["high"], color=HEART, linewidth=0.5, alpha=0.45)
        axes.plot(at, rows["middle"], ".", color=HEART, markersize=1.5)
    if good.height:
        low, high = good["rr_ms"].quantile(0.002), good["rr_ms"].quantile(0.998)
        axes.set_ylim(max(250, 0.85 * (low or 300)), min(2100, 1.12 * (high or 2000)))
    spread = "each dot one interval" if short else "each minute's median and 5–95 %"
    _name(axes, "RR interval (ms)", f"{spread}" + (", pale red ones not valid" if short else " of valid ones"))


def _per_minute(good: pl.DataFrame) -> pl.DataFrame:
    return (
        good.group_by(minute=pl.col("time_us") // 60_000_000 * 60_000_000)
        .agg(low=pl.col("rr_ms").quantile(0.05), high=pl.col("rr_ms").quantile(0.95), middle=pl.col("rr_ms").median())
        .sort("minute")
    )


def _variability(axes: Axes, day: DayFrames) -> None:
    rows = day.windows["hrv"]
    _ground(axes, day, _window_spans(rows))
    _steps(axes, day, rows, "rmssd_ms", HEART)
    _steps(axes, day, rows, "sdnn_ms", FAINT)
    _name(axes, "ms per window", "RMSSD (red), SDNN (grey); paler with less coverage")


def _skin(axes: Axes, day: DayFrames) -> None:
    segments = day.segments.get("eda", ())
    _ground(axes, day, spans_of(segments))
    for segment in segments:
        _signal(axes, day, segment, segment.samples, "#b9c4d0")
    for stretch in day.stretches:
        _signal(axes, day, stretch, stretch.clean, SKIN)
        _signal(axes, day, stretch, stretch.tonic, TONIC)
        peaks = stretch.responses.peak
        at = [_hours(day, stretch.start_us + p * 1e6 / stretch.rate_hz) for p in peaks.tolist()]
        axes.plot(at, stretch.clean[peaks], "v", color=WARM, markersize=2.5, markeredgewidth=0)
    _scaled(axes, [s.clean for s in day.stretches] or [s.samples for s in segments])
    used = [(s.start_us, s.end_us) for s in day.stretches]
    _strip(axes, day, _without(spans_of(segments), used))
    found = sum(len(s.responses.peak) for s in day.stretches)
    _name(axes, "skin (µS)", f"cleaned (blue) and tonic (dark), {found:,} responses (orange), unused samples pale")


def _responses(axes: Axes, day: DayFrames) -> None:
    rows = day.windows["eda"].filter(pl.col("scr_per_min").is_not_null())
    _ground(axes, day, _window_spans(day.windows["eda"].filter(pl.col("coverage") > 0)))
    width = (rows["end_us"] - rows["time_us"]) / 3.6e9
    at = [_hours(day, t) for t in rows["time_us"]]
    _bars(axes, at, rows["scr_per_min"], width, color=WARM, alpha=0.75)
    axes.set_ylim(bottom=0)
    _name(axes, "SCR / min", "skin-conductance responses per window")


def _movement(axes: Axes, day: DayFrames) -> None:
    rows = day.minutes.with_columns(time=pl.from_epoch("time_us", "us"))
    _ground(axes, day, [(t, t + 60_000_000) for t in rows["time_us"].to_list()])
    moved = rows.filter(pl.col("enmo_mg").is_not_null())
    _bars(axes, [_hours(day, t) for t in moved["time_us"]], moved["enmo_mg"], 1 / 60, color=PULSE)
    axes.set_ylim(0, max(50.0, float(moved["enmo_mg"].quantile(0.995) or 0)) * 1.25)
    _strip(axes, day, [(t, t + 60_000_000) for t in rows.filter(pl.col("worn") == False)["time_us"]])  # noqa: E712
    warm = axes.twinx()
    rows = rows.upsample("time", every="1m") if rows.height else rows  # a line does not cross what is missing
    warm.plot(
        [_hours(day, t) for t in rows["time"].dt.epoch("us")],
        rows["temp_c"].fill_null(np.nan),
        color=WARM,
        linewidth=1.0,
    )
    warm.tick_params(colors=WARM, labelsize=7, length=2)
    for spine in warm.spines.values():
        spine.set_visible(False)
    _name(axes, "movement (mg)", "ENMO a minute (grey), skin temperature °C (orange, right); red strip: not worn")


def _answers(axes: Axes, day: DayFrames, items: Sequence[str]) -> None:
    _dress(axes)
    axes.set_facecolor(USED)
    axes.grid(visible=False)
    lanes = [*items, *(["voice clip"] if day.clips else [])]
    for row, item in enumerate(items):
        given = day.answers.filter(pl.col("item") == item)
        at = [_hours(day, t) for t in given["time_us"]]
        axes.scatter(at, np.full(given.height, row), c=given["value"], cmap="viridis", vmin=0, vmax=1, s=22, marker="s")
    if day.clips:
        axes.plot(
            [_hours(day, t) for t in day.clips], np.full(len(day.clips), len(items)), "D", color=INK, markersize=4
        )
    axes.set_yticks(range(len(lanes)), lanes, fontsize=7)
    axes.set_ylim(max(len(lanes), 1) - 0.4, -0.6)
    said = "answers: dark is the low end of an item's scale, yellow the high one"
    axes.set_title(said if lanes else "no answers and no voice clips", loc="left", fontsize=7.5, color=FAINT, pad=2)


def _dress(axes: Axes) -> None:
    axes.set_facecolor(EMPTY)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(FAINT)
        spine.set_linewidth(0.6)
    axes.tick_params(colors=INK, labelsize=7, length=2)
    axes.grid(visible=True, axis="x", color=EMPTY, linewidth=0.7)
    axes.set_axisbelow(True)


def _name(axes: Axes, label: str, said: str) -> None:
    axes.set_ylabel(label, fontsize=7.5, color=INK)
    axes.set_title(said, loc="left", fontsize=7.5, color=FAINT, pad=2)


def _ground(axes: Axes, day: DayFrames, spans: Iterable[tuple[float, float]]) -> None:
    """White where something was recorded, on the grey of nothing."""
    bars = [(_hours(day, a), (b - a) / 3.6e9) for a, b in _merged(spans)]
    axes.broken_barh(bars, (0, 1), transform=axes.get_xaxis_transform(), color=USED, linewidth=0, zorder=0.1)


def _strip(axes: Axes, day: DayFrames, spans: Iterable[tuple[float, float]]) -> None:
    """What was recorded and not used, as a red strip at the foot."""
    bars = [(_hours(day, a), (b - a) / 3.6e9) for a, b in _merged(spans)]
    axes.broken_barh(bars, (0, 0.05), transform=axes.get_xaxis_transform(), color=UNUSED, linewidth=0, zorder=3)


def _merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _without(spans: Iterable[tuple[float, float]], taken: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What of the spans lies in none of those taken (in order of time)."""
    left = []
    for start, end in spans:
        at = start
        for a, b in taken:
            if b <= at or a >= end:
                continue
            if a > at:
                left.append((at, a))
            at = max(at, b)
        if at < end:
            left.append((at, end))
    return left


def _window_spans(rows: pl.DataFrame) -> list[tuple[float, float]]:
    return list(rows.select("time_us", "end_us").iter_rows())


def _signal(axes: Axes, day: DayFrames, at: Segment | Stretch, values: Samples, colour: str) -> None:
    """A signal as its lowest and highest value in each column of the picture; few samples as they are."""
    seconds = (day.shown[1] - day.shown[0]) / 1e6
    width = int(seconds * at.rate_hz / COLUMNS)
    width = width if width > MOST_A_COLUMN else 1
    starts = np.arange(0, len(values), width)
    time = _hours(day, at.start_us) + starts / at.rate_hz / 3600
    if width == 1:
        axes.plot(time, values, color=colour, linewidth=0.7)
        return
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    axes.fill_between(time, low, high, color=colour, linewidth=0.5)


def _bars(axes: Axes, left: ArrayLike, height: ArrayLike, width: ArrayLike, **look: Any) -> None:
    """Bars from zero as one shape: a day has 1,440 minutes, and as many shapes take seconds."""
    from matplotlib.collections import PolyCollection

    x, y, wide = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (left, height, width)))
    zero = np.zeros_like(y)
    corners = np.stack([x, zero, x, y, x + wide, y, x + wide, zero], -1).reshape(-1, 4, 2)
    axes.add_collection(PolyCollection(list(corners), linewidth=0, **look))
    axes.autoscale_view()


def _steps(axes: Axes, day: DayFrames, rows: pl.DataFrame, name: str, colour: str) -> None:
    """A windowed feature as a bar of its window's length, paler with less coverage."""
    there = rows.filter(pl.col(name).is_not_null())
    if there.is_empty():
        return
    from matplotlib.colors import to_rgba

    alpha = 0.25 + 0.75 * there["coverage"].to_numpy()
    starts, ends = ([_hours(day, t) for t in there[c]] for c in ("time_us", "end_us"))
    axes.hlines(there[name], starts, ends, colors=[to_rgba(colour, a) for a in alpha], linewidth=2.2)
    top = float(there[name].quantile(0.98) or 1.0)
    axes.set_ylim(0, max(axes.get_ylim()[1] if axes.get_ylim()[1] > 1 else 0.0, 1.15 * top))


def _scaled(axes: Axes, parts: Sequence[Samples]) -> None:
    """Limits that a movement artefact does not stretch."""
    values = np.concatenate([np.asarray(p)[:: max(1, len(p) // 20_000)] for p in parts]) if parts else np.zeros(0)
    values = values[np.isfinite(values)]
    if not len(values):
        axes.set_yticks([])
        return
    low, high = np.quantile(values, [0.005, 0.995])
    room = max(float(high - low), 1e-3)
    axes.set_ylim(low - 0.25 * room, high + 0.2 * room)


def _clock(axes: Axes, day: DayFrames) -> None:
    """The local clock below the last panel, about a dozen marks."""
    first, last = (_hours(day, t) for t in day.shown)
    step = next((s for s in STEPS_H if (last - first) / s <= 13), STEPS_H[-1])
    marks = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
    axes.set_xticks(marks, [day.clock(day.day[0] + round(m * 3.6e9)) for m in marks], fontsize=8)
    axes.set_xlim(first, last)
