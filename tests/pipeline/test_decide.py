import polars as pl
import pytest

from assets.lake import Lake
from assets.monitoring.tables import DECISIONS
from assets.study import Home, Study
from models.errors import RegistryError
from models.registry import CHAMPION, Registry
from pipeline.decide import promote, rollback
from pipeline.lock import BusyError, lock
from tests.models.registries import prepare


@pytest.fixture
def registry(home: Home, study: Study) -> Registry:
    """Four versions; the gate promoted 1 and 3."""
    home.root.mkdir(parents=True)
    made = Registry(prepare(home.mlflow), study.study.name)
    for number in range(1, 5):
        with made.run("night", str(number), {}) as run_id:
            model = made.client().create_logged_model(made.experiment(), source_run_id=run_id)
            gate = {"gate": "promoted" if number in {1, 3} else "declined"}
            version = made.register(str(model.model_id), run_id, str(number), gate)
        if number in {1, 3}:
            made.point(CHAMPION, version)
    return made


def champion(registry: Registry) -> int:
    return registry.aliased(CHAMPION).number


def test_a_promotion_moves_the_alias_and_leaves_a_trail(home: Home, study: Study, registry: Registry) -> None:
    decided = promote(home, study, 4, "the scientist asked for it")
    assert (decided.changed, champion(registry)) == (True, 4)
    [row] = Lake(home.lake).read(DECISIONS).to_dicts()
    assert (row["action"], row["version"], row["before"], row["why"]) == ("promote", 4, 3, "the scientist asked for it")
    assert row["who"]
    assert "the scientist asked for it" in registry.version(4).tags["decided"]


def test_a_rollback_returns_to_the_champion_before_the_gates(home: Home, study: Study, registry: Registry) -> None:
    assert rollback(home, study).version.number == 1
    assert champion(registry) == 1


def test_a_rollback_undoes_a_promotion_and_a_second_one_goes_further_back(
    home: Home, study: Study, registry: Registry
) -> None:
    promote(home, study, 2)
    assert rollback(home, study).version.number == 3
    assert rollback(home, study).version.number == 1
    with pytest.raises(RegistryError, match="no champion before it"):
        rollback(home, study)
    assert Lake(home.lake).read(DECISIONS)["action"].to_list() == ["promote", "rollback", "rollback"]


def test_promoting_the_champion_changes_nothing(home: Home, study: Study, registry: Registry) -> None:
    assert not promote(home, study, 3).changed
    assert Lake(home.lake).read(DECISIONS).is_empty()


def test_a_version_that_is_not_there_is_refused_and_nothing_moves(home: Home, study: Study, registry: Registry) -> None:
    with pytest.raises(RegistryError, match="no version 9"):
        promote(home, study, 9)
    assert champion(registry) == 3


def test_nobody_decides_while_a_night_runs(home: Home, study: Study, registry: Registry) -> None:
    with lock(home, "macromicro run"), pytest.raises(BusyError, match="macromicro run"):
        promote(home, study, 4)
    assert champion(registry) == 3


def test_a_command_killed_after_its_row_is_repeated_by_the_next(
    home: Home, study: Study, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "point", killed)
        with pytest.raises(KeyboardInterrupt):
            promote(home, study, 4)
    assert champion(registry) == 3
    promote(home, study, 4)
    assert champion(registry) == 4
    assert rollback(home, study).version.number == 3
    assert Lake(home.lake).read(DECISIONS).select(pl.len()).item() == 3
