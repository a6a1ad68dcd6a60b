"""Worlds that several tests look at, drawn once."""

import pytest

from assets.simulated.world import World, draw_world
from assets.study import PAPER_ITEMS, Study


def paper_study() -> Study:
    return Study.model_validate({"study": {"timezone": "Europe/Berlin"}, "items": {name: {} for name in PAPER_ITEMS}})


@pytest.fixture(scope="session")
def crowd() -> World:
    """Enough people for shares of variance to be seen: 150 for two weeks."""
    return draw_world(paper_study(), participants=150, days=14, seed=4)
