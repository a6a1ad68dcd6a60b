"""What the state-space model takes for usual: its population parameters, by empirical Bayes.

They start at the moments of the training answers and maximise their likelihood, each item on its own, all people side
by side. The model itself, and what it expects of anybody, is `state_space.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.cohort import Cohort, Floats, Mask
from models.history import HOUR_US, Grid
from models.state_space import PARTS, Population, hours_since

SLOW_H, FAST_H = 240.0, 12.0  # where the likelihood starts: ten days, half a day
LONGEST = 100  # answers per person used for the likelihood; enough for a handful of numbers, and bounded in time
FEWEST = 30  # with fewer rows the moments are kept
# Where everybody always answers the same, variances would fall to 0 and the likelihood rise without end.
LEAST_VARIANCE = 1e-8  # of the squared span: a ten-thousandth of the scale as SD
RATES_H = (1e-6, 60.0)  # a century, a minute


def moments(cohort: Cohort, train: Mask) -> Population:
    """Parameters from means and variances of the training answers: where the likelihood starts."""
    answers = np.where(train[:, None], cohort.answers, np.nan)
    count = np.zeros((len(cohort.participants), answers.shape[1]))
    total, square = count.copy(), count.copy()
    np.add.at(count, cohort.person, ~np.isnan(answers))
    np.add.at(total, cohort.person, np.nan_to_num(answers))
    np.add.at(square, cohort.person, np.nan_to_num(answers) ** 2)
    n, people = count.sum(0), np.maximum((count > 0).sum(0), 1)
    mean = np.where(n > 0, total.sum(0) / np.maximum(n, 1), cohort.low + cohort.span / 2)
    means = total / np.maximum(count, 1)
    within = (square - count * means**2).sum(0) / np.maximum(n - people, 1)
    within = np.maximum(within, (0.02 * cohort.span) ** 2)
    spread = np.where(count > 0, (means - mean) ** 2, 0).sum(0) / np.maximum(people - 1, 1)
    between = np.maximum(spread - within * people / np.maximum(n, 1), 0.1 * within)
    rate = np.tile([0.0, 1 / SLOW_H, 1 / FAST_H], (len(mean), 1))
    return Population(mean, 0.4 * within, np.stack([between, 0.3 * within, 0.3 * within], -1), rate)


def levels(cohort: Cohort, train: Mask) -> Population:
    """A level a person that never drifts nor swings, from means and variances of the training answers."""
    start = moments(cohort, train)
    steady = start.var * (np.arange(PARTS) == 0)
    return replace(start, var=steady, noise_var=start.noise_var + (start.var - steady).sum(1))


def fit_population(cohort: Cohort, train: Mask, iterations: int = 25) -> Population:
    """Maximise the likelihood of the training answers (L-BFGS), starting at and held near their moments."""
    start = moments(cohort, train)
    rank, _ = cohort.rank()
    rows = cohort.take(np.flatnonzero(train & cohort.labelled & (rank < LONGEST)))
    if len(rows) < FEWEST:
        return start
    grid = Grid.of(rows)
    laid = grid.spread(rows.answers)
    answers, gaps = _people_first(laid), _people_first(hours_since(laid, grid.spread(rows.time_us / HOUR_US)))
    origin, (least, most) = _raw(start), _limits(cohort.span)
    shift = torch.zeros_like(origin, requires_grad=True)
    width = torch.ones_like(origin)
    width[:, 0] = torch.tensor(rows.span)
    optimiser = torch.optim.LBFGS([shift], lr=0.5, max_iter=iterations, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        # A weak prior around the moments keeps a parameter that the data say nothing about where it started.
        raw = torch.clamp(origin + shift * width, least, most)
        loss = _surprise(raw, answers, gaps) + 0.5 * (shift**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    fitted = torch.clamp(origin + shift * width, least, most).detach()
    return _population(fitted) if bool(torch.isfinite(fitted).all()) else start


def _limits(span: Floats) -> tuple[Tensor, Tensor]:
    """The least and the largest that each unconstrained parameter may become, both (items, 7)."""
    least, most = np.full((2, len(span), 7), np.inf)
    least *= -1
    least[:, 1:5] = np.log(LEAST_VARIANCE * span**2)[:, None]
    least[:, 5:], most[:, 5:] = np.log(RATES_H)
    return torch.from_numpy(least), torch.from_numpy(most)


def _people_first(laid: Floats) -> Tensor:
    """(places, people, …) whose people lie one after the other in memory: the last digits of sums hang on it."""
    return torch.from_numpy(np.ascontiguousarray(laid.swapaxes(0, 1))).transpose(0, 1)


def _raw(p: Population) -> Tensor:
    """Unconstrained parameters (items, 7): mean, then logs of noise, three variances, two rates."""
    logs = np.log(np.column_stack([p.noise_var, p.var, p.rate_h[:, 1:]]))
    return torch.tensor(np.column_stack([p.mean, logs]))


def _population(raw: Tensor) -> Population:
    values = raw.numpy()
    logs = np.exp(values[:, 1:])
    rate = np.column_stack([np.zeros(len(values)), logs[:, 4:]])
    return Population(values[:, 0].copy(), logs[:, 0], logs[:, 1:4], rate)


def _surprise(raw: Tensor, answers: Tensor, gaps: Tensor) -> Tensor:
    """Minus the log likelihood of answers (places, people, items), up to a constant."""
    mean, logs = raw[:, 0], raw[:, 1:].exp()
    noise, var = logs[:, 0], logs[:, 1:4]
    rate = torch.cat([torch.zeros_like(logs[:, :1]), logs[:, 4:]], 1)
    answered = ~torch.isnan(answers)
    gone = torch.where(answered, torch.nan_to_num(answers) - mean, 0.0)
    # Everything that needs no state is done for all places at once; between answers nothing moves (gap 0).
    decay = torch.exp(-gaps[..., None] * rate)
    shrink, grow = decay[..., None] * decay[..., None, :], torch.diag_embed((1 - decay**2) * var)
    state = torch.zeros_like(decay[0])
    spread = torch.diag_embed(var).expand(*state.shape, PARTS)
    errors, variances = [], []
    # Unbinding gives one gradient for the whole stack; indexing would make one of full size at every place.
    for given, kept, lost, fresh, known in zip(
        *(x.unbind(0) for x in (gone, decay, shrink, grow, answered)), strict=True
    ):
        state, spread = kept * state, spread * lost + fresh
        reach = spread.sum(-1)
        variance, error = reach.sum(-1) + noise, given - state.sum(-1)
        gain = reach * (known / variance)[..., None]
        state, spread = state + gain * error[..., None], spread - gain[..., None] * reach[..., None, :]
        errors.append(error)
        variances.append(variance)
    variance = torch.stack(variances)
    return torch.where(answered, 0.5 * (variance.log() + torch.stack(errors) ** 2 / variance), 0.0).sum()
