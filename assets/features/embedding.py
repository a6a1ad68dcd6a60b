"""The unit of work `voice_embeddings`: each clip as a vector of the study's own emotion network, where it names one.

The vector is kept whole. The model reads 32 sums of it with fixed random signs (Achlioptas 2003), which keep the
distances between clips to within a few tenths: a projection that was learned (PCA, say) would have seen the answers'
future, and a thousand columns with their past means would drown thirty answers. The signs never change, so a vector
means the same on every night. A clip that cannot be heard has a reason and no vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date as Date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.features.acoustic import about, clips_of, decoded, unusable
from assets.features.catalogue import EMBEDDING
from assets.features.wav2vec import Network, Vectors, embed, load
from assets.lake import Key, Lake
from assets.ledger import digest
from assets.study import Home, Study
from assets.tables import EMBEDDINGS_TABLE, VOICE_CLIPS
from assets.units import Frames, Unit, forget, stamped

SIGNS_SEED = 59512


def embeddings(clips: pl.DataFrame, network: Network, fingerprint: str) -> pl.DataFrame:
    """EMBEDDINGS_TABLE rows, one for each VOICE_CLIPS row."""
    rows, heard = [], []
    for clip in clips.iter_rows(named=True):
        audio, found, sound = decoded(clip["flac"]), None, 0.0
        if audio is not None:
            found, sound = unusable(audio)
        rows.append({**about(clip, audio, found, sound), "network": fingerprint})
        if audio is not None and found is None:
            heard.append((len(rows) - 1, audio))
    vectors = embed(network, [audio for _, audio in heard])
    for (row, _), vector, few in zip(heard, vectors, projected(vectors), strict=True):
        rows[row] |= {"embedding": vector.tolist()}
        rows[row] |= {feature.name: float(v) for feature, v in zip(EMBEDDING, few, strict=True)}
    return EMBEDDINGS_TABLE.frame(rows)


def projected(vectors: Vectors) -> NDArray[np.float64]:
    """Each vector (clips, width) as its sums with fixed random signs, (clips, 32), lengths kept on average."""
    signs = _signs(vectors.shape[1])
    # Summed without BLAS: the last digit is the same on every machine.
    sums = [(vector.astype(np.float64) * signs).sum(axis=1) for vector in vectors]
    return np.asarray(np.array(sums).reshape(-1, len(EMBEDDING)) / np.sqrt(len(EMBEDDING)))


def model_folder(home: Home, study: Study) -> Path:
    """Where the study's network lies; a relative path counts from the home."""
    return home.root / Path(study.features.embedding_model).expanduser()


def wanted_embeddings(home: Home, study: Study, dates: set[Date] | None = None) -> dict[Key, str]:
    """The participant-days that should have embeddings, each with the hash of its clips and of the network."""
    network = study.features.embedding_sha256
    return {key: digest(clips, network) for key, clips in clips_of(home, dates).items()} if network else {}


def tidy_embeddings(home: Home, study: Study) -> list[Key]:
    """Remove the participant-days whose clips are gone, or everything where no network is named any more."""
    wanted = wanted_embeddings(home, study)
    gone = [key for key, _ in stamped(home, VOICE_EMBEDDINGS) if key not in wanted]
    forget(VOICE_EMBEDDINGS, home, gone)
    return gone


def _signs(width: int) -> NDArray[np.float64]:
    """(32, width) of ±1, from the generator's raw bits: these never change between releases of NumPy."""
    bits = np.random.PCG64(SIGNS_SEED).random_raw(width * len(EMBEDDING)) >> np.uint64(63)
    return np.asarray(np.where(bits.reshape(width, len(EMBEDDING)).T == 1, 1.0, -1.0))


def _compute(home: Home, study: Study, participant: str, days: tuple[Date, ...]) -> Iterator[tuple[Date, Frames]]:
    lake, expected = Lake(home.lake), study.features.embedding_sha256
    network = load(model_folder(home, study), expected)
    for day in days:
        yield day, {EMBEDDINGS_TABLE: embeddings(lake.read(VOICE_CLIPS, Key(participant, day)), network, expected)}


VOICE_EMBEDDINGS = Unit(name="voice_embeddings", code="1", tables=(EMBEDDINGS_TABLE,), compute=_compute)
