"""A wav2vec 2.0 network of the study's own, from a local folder: what it is, and clips to vectors.

The folder is one as Hugging Face lays them out (`config.json`, `preprocessor_config.json`, `model.safetensors`). It is
never downloaded; its hash is compared before anything in it is used; weights are safetensors, never pickles. What the
vectors are kept for belongs to `embedding.py`. `python -m assets.features.wav2vec FOLDER` prints the hash.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assets.errors import FeatureError
from models.threads import torch_threads

if TYPE_CHECKING:
    from torch import Tensor

Audio = NDArray[np.float32]
Vectors = NDArray[np.float32]

RATE_HZ = 16_000
PIECE_S = 30  # attention costs the square of the length: longer clips are heard in equal pieces
BATCH_S = 60
CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
_UNUSED = {"masked_spec_embed"}  # serves training only


@dataclass(frozen=True)
class Network:
    """A loaded network: `normalise` each clip first, or not; `masked` where it bears clips of different lengths."""

    model: Any
    normalise: bool
    masked: bool

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.model.config.hidden_size)


def fingerprint(folder: Path) -> str:
    """SHA-256 over everything in the folder that decides a number: both settings and the weights.

    Raises:
        FeatureError: one of the files is not there.
    """
    whole = hashlib.sha256()
    for name in (CONFIG, PREPROCESSOR, WEIGHTS):
        if not (folder / name).is_file():
            message = (
                f"the folder of the embedding model, {folder}, has no {name}. It must hold {CONFIG}, {PREPROCESSOR} "
                f"and {WEIGHTS} (not a pickle); copy it there by hand, nothing is downloaded. Voice embeddings stay out"
            )
            raise FeatureError(message)
        with (folder / name).open("rb") as file:
            whole.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def load(folder: Path, expected: str) -> Network:
    """The network of a folder, once in each process.

    Raises:
        FeatureError: files are missing or not those of `expected`, it is no wav2vec 2.0 for 16 kHz, some weights are
            absent, or the package that reads it is not installed.
    """
    files = [folder / name for name in (CONFIG, PREPROCESSOR, WEIGHTS)]
    state = tuple((s.st_size, s.st_mtime_ns) for s in (f.stat() for f in files if f.is_file()))
    return _loaded(folder, expected, state)


def embed(network: Network, clips: Sequence[Audio]) -> Vectors:
    """The mean of the last hidden layer over each clip's own time, (clips, width).

    Args:
        network: from `load`.
        clips: 16 kHz mono, full scale ±1, each (samples,). One clip's vector does not depend on the others, beyond
            rounding.
    """
    pieces = [(n, part) for n, clip in enumerate(clips) for part in _pieces(network, clip)]
    sums, frames = np.zeros((len(clips), network.width)), np.zeros((len(clips), 1))
    for batch in _batches(network, pieces):
        for (n, _), (total, count) in zip(batch, _heard(network, [part for _, part in batch]), strict=True):
            sums[n] += total
            frames[n] += count
    return (sums / np.maximum(frames, 1)).astype(np.float32)


def licence(folder: Path) -> str:
    """What the folder says of its licence: the first line of its licence file, else the README's `license:`."""
    for file in sorted(folder.glob("*")):
        if file.is_file() and file.name.lower().startswith(("license", "licence", "copying")):
            lines = (line.strip() for line in file.read_text(errors="replace").splitlines())
            return next((line for line in lines if line), f"{file.name} is empty")
    readme = folder / "README.md"
    for line in readme.read_text(errors="replace").splitlines() if readme.is_file() else ():
        if line.lower().startswith(("license:", "licence:")):
            return line.split(":", 1)[1].strip()
    return "not told: no licence file lies in the model's folder; ask where it came from before you use it"


@lru_cache(maxsize=1)
def _loaded(folder: Path, expected: str, state: tuple[tuple[int, int], ...]) -> Network:
    del state  # a changed file is looked at anew
    found = fingerprint(folder)
    if found != expected:
        message = (
            f"the embedding model in {folder} is not the one of study.toml: its hash is {found}, embedding_sha256 says "
            f"{expected}. Put the right model there, or write the new hash; voice embeddings stay out until then"
        )
        raise FeatureError(message)
    config, before = (json.loads((folder / name).read_text()) for name in (CONFIG, PREPROCESSOR))
    if config.get("model_type") != "wav2vec2" or before.get("sampling_rate", RATE_HZ) != RATE_HZ:
        message = (
            f"the embedding model in {folder} is a {config.get('model_type')} for {before.get('sampling_rate')} Hz; "
            f"only wav2vec2 for {RATE_HZ} Hz is understood"
        )
        raise FeatureError(message)
    masked = config.get("feat_extract_norm", "group") == "layer"
    return Network(_read(folder), bool(before.get("do_normalize", True)), masked)


def _read(folder: Path) -> Any:
    try:
        import torch
        from transformers import Wav2Vec2Model
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        message = "study.toml names an embedding_model, which needs transformers: pip install 'macromicro[embeddings]'"
        raise FeatureError(message) from error
    disable_progress_bar()
    model, report = Wav2Vec2Model.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
    )
    absent = sorted(set(report["missing_keys"]) - _UNUSED)
    if absent or report["mismatched_keys"]:
        message = f"{folder / WEIGHTS} lacks weights of wav2vec 2.0, such as {absent[:3]}: it would guess. Not used"
        raise FeatureError(message)
    return model.eval()


def _pieces(network: Network, clip: Audio) -> list[Audio]:
    """A clip as the network wants it: whole to mean 0 and variance 1 where its settings say so, then cut if long."""
    heard = clip.astype(np.float64)
    if network.normalise:
        heard = (heard - heard.mean()) / np.sqrt(heard.var() + 1e-7)
    return np.array_split(heard.astype(np.float32), max(1, -(-len(clip) // (PIECE_S * RATE_HZ))))


def _batches(network: Network, pieces: list[tuple[int, Audio]]) -> Iterator[list[tuple[int, Audio]]]:
    """Pieces of like length together; of equal length where the network cannot be told what is padding."""
    batch: list[tuple[int, Audio]] = []
    for piece in sorted(pieces, key=lambda p: len(p[1])):
        size = len(piece[1])
        other = bool(batch) and not network.masked and len(batch[0][1]) != size
        if batch and (other or (len(batch) + 1) * size > BATCH_S * RATE_HZ):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _heard(network: Network, parts: Sequence[Audio]) -> list[tuple[NDArray[np.float64], int]]:
    """Sum of the last hidden layer over each part's true frames, and how many those are."""
    import torch

    lengths = torch.tensor([len(part) for part in parts])
    padded = torch.zeros(len(parts), int(lengths.max()))
    for row, part in zip(padded, parts, strict=True):
        row[: len(part)] = torch.from_numpy(part)
    mask = (torch.arange(padded.shape[1]) < lengths[:, None]).long() if network.masked else None
    with torch.inference_mode(), torch_threads():
        hidden: Tensor = network.model(padded, attention_mask=mask).last_hidden_state
    counts = network.model._get_feat_extract_output_lengths(lengths).tolist()  # noqa: SLF001 (the library has no other)
    return [(row[:count].double().sum(0).numpy(), count) for row, count in zip(hidden, counts, strict=True)]


if __name__ == "__main__":
    sys.stdout.write(fingerprint(Path(sys.argv[1])) + "\n")
