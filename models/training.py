"""The training loop: AdamW over minibatches, an average of weights, early stopping, checkpoints.

It knows tensors and a score to maximise, not cohorts. A checkpoint is a safetensors file with every tensor that the
next step depends on (weights, their average, optimiser moments, random states) and a JSON file with the numbers;
going on from it gives the same bits as never having stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.batch import Batch, mixed
from models.cohort import Floats
from models.errors import ModelError
from models.inputs import Inputs
from models.losses import agreement_and_error
from models.network import Network
from models.settings import Settings
from models.weighting import weighting

Progress = Callable[[int, dict[str, float]], None]
Score = Callable[[Network], float]
EVERY = 5  # epochs between checkpoints


def device_of(settings: Settings) -> torch.device:
    """Where networks learn.

    Raises:
        ModelError: there is no such device here.
    """
    device = torch.device(settings.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        message = f"training.device is {device}, but torch {torch.__version__} finds no GPU here; set it to cpu"
        raise ModelError(message)
    return device


class Training:
    """One run of training; `curve` grows by one entry an epoch."""

    def __init__(
        self,
        network: Network,
        views: tuple[Inputs, Inputs],
        answers: Floats,
        usual: Floats,
        settings: Settings,
    ) -> None:
        self.device = device_of(settings)
        self.network, self.settings = network.to(self.device), settings
        self.online, self.nightly = (Batch.of(view).to(self.device) for view in views)
        self.answers = torch.from_numpy(answers.astype(np.float32)).to(self.device)
        self.usual = torch.from_numpy(usual.astype(np.float32)).clamp(min=1e-3).to(self.device)
        self.weighting = weighting(settings.weighting, answers.shape[1]).to(self.device)
        parameters: list[dict[str, Any]] = [
            {"params": [p for n, p in network.named_parameters() if not n.startswith("micro")]},
            {"params": list(network.micro.parameters()), "weight_decay": 0.0},
            {"params": list(self.weighting.parameters()), "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(
            [p for p in parameters if p["params"]], lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.average = {n: v.clone() for n, v in network.state_dict().items()}
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, Tensor] | None = None
        self.best_score, self.epoch, self.best_epoch, self.steps = float("-inf"), 0, 0, 0
        self.digest = self._digest()
        per_person = float((~torch.isnan(self.answers)).sum()) / max(network.micro.people, 1) / answers.shape[1]
        error = float(self.usual.mean())
        self.information = {"bias": per_person / error**2, "film": per_person, "slopes": 0.1 * per_person / error**2}

    def choose(
        self, score: Score, start: float, checkpoint: Path | None, progress: Progress | None
    ) -> dict[str, Tensor] | None:
        """Train until validation stops improving; the best weights, or None where `start` was never beaten."""
        self.best_score = start
        self._resume(checkpoint)
        while self.epoch < self.settings.max_epochs and self.epoch - self.best_epoch < self.settings.patience:
            loss = self._epoch()
            reached = self._score_of_average(score)
            self.curve.append({"loss": loss, "score": reached})
            if reached > self.best_score + 1e-5:
                self.best_score, self.best_epoch = reached, self.epoch
                self.best = {n: v.clone() for n, v in self.average.items()}
            if progress is not None:
                progress(self.epoch, {"loss": loss, "score": reached, "best": self.best_score})
            self._store(checkpoint)
        self._store(checkpoint, due=True)
        return self.best

    def train(self, epochs: int, checkpoint: Path | None, progress: Progress | None) -> dict[str, Tensor]:
        """Train for so many epochs; the average of weights at the end."""
        self._resume(checkpoint)
        while self.epoch < epochs:
            loss = self._epoch()
            self.curve.append({"loss": loss})
            if progress is not None:
                progress(self.epoch, {"loss": loss, "score": float("nan")})
            self._store(checkpoint)
        self._store(checkpoint, due=True)
        return self.average

    def _epoch(self) -> float:
        self.network.train()
        total, order = 0.0, torch.randperm(len(self.online)).to(self.device)
        batches = order.chunk(max(1, round(len(order) / self.settings.batch)))
        for rows in batches:
            total += self._step(rows)
        self.network.micro.learn_spread(self.information)
        self.epoch += 1
        return total / len(batches)

    def _step(self, rows: Tensor) -> float:
        answers = self.answers[rows]
        answered = ~torch.isnan(answers)
        by_night = (torch.rand(len(rows)) < self.settings.nightly_share).to(self.device)
        predicted = self.network(mixed(rows, self.online, self.nightly, by_night))
        losses = agreement_and_error(predicted, answers, answered, self.usual, self.settings.mae_weight)
        known = answered.any(0)
        total = self.weighting.combine(losses, known)
        # The personal parameters' density is per row, and keeps its share whatever the weighting scales losses by.
        scale = self.weighting.weight(losses[known], total) / len(self.online)
        self.optimiser.zero_grad(set_to_none=True)
        (total + scale * self.network.micro.density()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 20.0 * len(losses))
        self.optimiser.step()
        self.steps += 1
        keep = min(self.settings.average, self.steps / (self.steps + 10))
        for name, value in self.network.state_dict().items():
            self.average[name].mul_(keep).add_(value, alpha=1 - keep)
        return float(losses.detach().mean())

    def _digest(self) -> str:
        """What a checkpoint must have been made of to be gone on from: settings, first weights, inputs, answers."""
        content = hashlib.sha256(json.dumps(self.settings.as_dict(), sort_keys=True).encode())
        for tensor in (*self.network.state_dict().values(), self.answers, self.online.history, self.nightly.history):
            content.update(tensor.cpu().numpy().tobytes())
        for values in self.online.values.values():
            content.update(values.cpu().numpy().tobytes())
        return content.hexdigest()

    def _score_of_average(self, score: Score) -> float:
        current = {n: v.clone() for n, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        reached = score(self.network)
        self.network.load_state_dict(current)
        return reached

    def _store(self, folder: Path | None, *, due: bool = False) -> None:
        if folder is None or not (due or self.epoch % EVERY == 0):
            return
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"network.{n}": v for n, v in self.network.state_dict().items()}
        tensors |= {f"average.{n}": v for n, v in self.average.items()}
        tensors |= {f"weighting.{n}": v for n, v in self.weighting.state_dict().items()}
        tensors |= {f"best.{n}": v for n, v in (self.best or {}).items()}
        for place, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{place}.{n}": v for n, v in moments.items()}
        tensors["random"] = torch.get_rng_state()
        numbers = {
            "digest": self.digest,
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "steps": self.steps,
            "curve": self.curve,
        }
        # The numbers are replaced last: a kill between the two leaves an older JSON that names another step count.
        tensors["steps"] = torch.tensor(self.steps)
        save_file({n: v.contiguous().clone() for n, v in tensors.items()}, folder / "state.safetensors.part")
        (folder / "state.safetensors.part").replace(folder / "state.safetensors")
        (folder / "state.json.part").write_text(json.dumps(numbers))
        (folder / "state.json.part").replace(folder / "state.json")

    def _resume(self, folder: Path | None) -> None:
        if folder is None or not (folder / "state.json").exists() or not (folder / "state.safetensors").exists():
            return
        numbers, tensors = json.loads((folder / "state.json").read_text()), load_file(folder / "state.safetensors")
        if numbers["digest"] != self.digest or int(tensors["steps"]) != numbers["steps"]:
            return

        def part(name: str) -> dict[str, Tensor]:
            mine = {n: v for n, v in tensors.items() if n.startswith(f"{name}.")}
            return {n.removeprefix(f"{name}."): v.to(self.device) for n, v in mine.items()}

        self.network.load_state_dict(part("network"))
        self.weighting.load_state_dict(part("weighting"))
        self.average, self.best = part("average"), part("best") or None
        state = self.optimiser.state_dict()
        state["state"] = {}
        for name, value in part("optimiser").items():
            place, moment = name.split(".")
            state["state"].setdefault(int(place), {})[moment] = value
        self.optimiser.load_state_dict(state)
        torch.set_rng_state(tensors["random"])
        self.epoch, self.best_epoch, self.steps = numbers["epoch"], numbers["best_epoch"], numbers["steps"]
        self.best_score, self.curve = numbers["best_score"], numbers["curve"]
