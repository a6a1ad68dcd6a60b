"""What batching over people saves: personal heads in one batched product beside a loop over people, with gradients.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.micro [people] [rows each] [batch]` (298, 50, 256 by default). Both give
the same numbers; the loop is what a model with one head module a person does.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._arguments import asking
from benchmarks._timing import processor_seconds
from models.paper.personal import Heads

ITEMS, WIDTH, REPEATS = 9, 32, 5


def looped(heads: Heads, view: Tensor, person: Tensor) -> Tensor:
    """Each person's rows picked out and multiplied by their own head."""
    out = torch.zeros(len(view), ITEMS)
    for one in range(heads.people):
        rows = torch.nonzero(person == one)[:, 0]
        out[rows] = view[rows] @ heads.tables["head"][one].T + heads.tables["bias"][one]
    return out


def seconds(work: Callable[[], Tensor]) -> float:
    """Processor seconds of one forward and backward pass, the best of some."""
    return processor_seconds(lambda: work().square().sum().backward(), REPEATS)  # type: ignore[no-untyped-call]


def main() -> None:
    """Compare the two on minibatches, as training sees them, and on all rows at once."""
    told = asking(
        __doc__, people=(298, "how many people"), each=(50, "rows of each"), batch=(256, "rows of a minibatch")
    ).parse_args()
    torch.set_num_threads(1)
    heads = Heads(told.people, ITEMS, WIDTH, rank=4)
    for table in heads.tables.values():
        torch.nn.init.normal_(table)
    everyone = torch.arange(told.people).repeat(told.each)
    for rows in (told.batch, len(everyone)):
        person = everyone[torch.randperm(len(everyone))[:rows]]
        view = torch.randn(rows, WIDTH)
        torch.testing.assert_close(heads.correction(view, person), looped(heads, view, person), rtol=1e-4, atol=1e-4)
        together = seconds(lambda v=view, p=person: heads.correction(v, p))  # type: ignore[misc]
        apart = seconds(lambda v=view, p=person: looped(heads, v, p))  # type: ignore[misc]
        print(f"{told.people} people, {rows} rows: {1e3 * together:.2f} ms batched, {1e3 * apart:.1f} ms in a loop, "
              f"{apart / together:.0f}× faster")  # fmt: skip


if __name__ == "__main__":
    main()
