"""`docs/features.md`, written from the catalogue: `python -m assets.features.page > docs/features.md`.

A test compares the page with the catalogue, so that what is documented is what is computed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from assets.features.catalogue import EMBEDDING, MINUTE, SUMMARY, WINDOW_FEATURES, Feature
from assets.features.windows import Reason

INTRODUCTION = """# Features

Written from `assets/features/catalogue.py` by `python -m assets.features.page`; do not edit by hand.

Body features stand in windows on one clock grid for the whole study (`[windows]` of `study.toml`, five minutes by
default, counted from the Unix epoch), so that people, days and modalities line up. A window belongs to the
participant-day in which it starts. Beside every value stand `coverage`, the share of the window with usable data, and
`reason`, why something is missing. Nothing is interpolated across a gap, and no value is ever replaced by zero.
"""
TITLES = {
    "hrv": "Heart (`hrv`)",
    "eda": "Skin conductance (`eda`)",
    "motion": "Movement (`motion`)",
    "temperature": "Skin temperature (`temperature`)",
    "voice": "Voice (`acoustic`)",
    "voice_embedding": "Voice as a network hears it (`voice_embeddings`)",
    "minutes": "Minute by minute (`minutes`)",
    "daily_summaries": "The whole day (`daily_summaries`)",
}
NOTES = {
    "hrv": "From the beats of `beats`: the steepest upstroke of each pulse (or the R peak of an ECG), between samples. "
    "An interval is used where it is normal-to-normal: 300 to 2,000 ms, within 20 % of its neighbours' median, no "
    "class of Lipponen & Tarvainen 2019, both pulses like their neighbours (template correlation from 0.5, from 0.8 "
    "while the wrist moves by more than 30 mg). ECG goes before the pulse and both before the device's own intervals, "
    "but in half minutes that our valid intervals fill by less than half and the device's by half and a fifth more. "
    "Variability uses only intervals between pulses that agree by 0.8; the rate uses all valid ones. "
    "Without gaps every index equals NeuroKit2's (tested).",
    "eda": "Samples outside 0.05–60 µS, faster than 10 µS/s or on skin outside 30–40 °C are left out with five seconds "
    "around them (Kleckner et al. 2018); skin from 25 °C counts where a regular pulse shows that the band is worn. "
    "Low-pass 1 Hz, tonic and phasic part by Butterworth filters at 0.05 Hz; a response rises by at least 0.05 µS. "
    "`[features] eda_decomposition` of `study.toml` may say `cvxeda` (`pip install 'macromicro[cvxeda]'`, GPL-3.0) or "
    "`sparseda` instead of `highpass`: NeuroKit2's implementations on each valid stretch, slower by far. The "
    "sympathetic index needs 64 s without a gap.",
    "motion": "Of the acceleration's norm in g; the filtered norm is its band from 0.25 to 3 Hz. A crossing counts "
    "from beyond 10 mg to beyond 10 mg on the other side.",
    "temperature": "Of samples between 25 and 42 °C.",
    "voice": "openSMILE eGeMAPSv02 on 16 kHz mono, below full scale. Research and non-commercial use only. `[features] "
    'voice = "compare"` of `study.toml` adds the 6,373 functionals of ComParE_2016 (table `acoustic_compare`), '
    "`voice_lld = true` the low-level descriptors every 10 ms (`acoustic_descriptors`); the model reads neither "
    "([voice](voice.md) says why).",
    "voice_embedding": "Only where `[features] embedding_model` of `study.toml` names a local wav2vec 2.0 "
    "([voice](voice.md)). The table holds the whole vector, the mean of the last hidden layer over the clip; the model "
    "reads 32 sums of it under fixed random signs, which nothing was learned for.",
    "minutes": "Beside them `worn`: a pulse that fills half the minute; else skin from 26 °C, or movement that warms "
    "(Zhou et al. 2015); without a thermometer, everything but hours in which two axes stay within 50 mg (van Hees et "
    "al. 2013); such an hour counts as not worn in warmth too where skin conductance stays below 0.05 µS. The angle is "
    "the arm's against the horizontal in each five seconds.",
    "daily_summaries": "A row holds the night that **ends** on its day, because only then is it over: nothing after "
    "the day is used. The sleep window lies between the middle of the day before and that of the day (HDCZA: quiet "
    "blocks of 30 minutes, gaps below an hour bridged); of several blocks the one with most minutes of low heart rate "
    "wins (below the 35th percentile: Perez-Pozuelo et al. 2022). It needs three worn hours between midnight and six, "
    "or sixteen of the twenty-four; else `reason` says why there is none. These values are for people and reports: "
    "the model's `yesterday` is made from the windows.",
}
REASONS = {
    Reason.NO_DATA: "nothing was recorded in the window",
    Reason.TOO_SHORT: "too little of the window was recorded",
    Reason.TOO_FEW_BEATS: "too few valid intervals for some of the indices",
    Reason.TOO_MANY_ARTEFACTS: "recorded, but most of it is no usable signal",
    Reason.NO_VARIATION: "all intervals are equal; entropy and scaling mean nothing",
    Reason.NO_RESPONSES: "no skin-conductance response: height and rise have no value",
    Reason.NOT_DECOMPOSED: "cvxEDA or sparsEDA, chosen in `study.toml`, found no tonic and phasic part",
    Reason.NOT_WORN: "the band was not on skin",
    Reason.OUT_OF_RANGE: "the sensor was saturated",
    Reason.RATE_TOO_LOW: "the device samples too slowly for some of the features",
    Reason.SILENT: "no sound above −60 dB of full scale",
    Reason.UNVOICED: "sound without a voice: pitch and its kin have no value",
    Reason.TRUNCATED: "the sound file ends before its header says; values are given",
    Reason.CLIPPED: "more than 1 % of the samples at full scale; values are given",
    Reason.UNREADABLE: "the clip holds no audio",
}


def features_page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION, "## Reasons\n", _table(("reason", "meaning"), [(f"`{r}`", REASONS[r]) for r in Reason])]
    for modality, features in {
        **WINDOW_FEATURES,
        "voice_embedding": EMBEDDING,
        "minutes": MINUTE,
        "daily_summaries": SUMMARY,
    }.items():
        parts += [f"## {TITLES[modality]}\n", NOTES[modality] + "\n", _features(features)]
    return "\n".join(parts)


def _features(features: tuple[Feature, ...]) -> str:
    rows = [(f"`{f.name}`", f.unit, f.meaning, f.source) for f in features]
    return _table(("name", "unit", "meaning", "source"), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(features_page())
