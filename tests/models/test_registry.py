import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import RegistryError
from models.registry import CHALLENGER, CHAMPION, Registry
from tests.models.registries import prepare


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(prepare(tmp_path / "mlflow"), "sleep study")


def logged(registry: Registry, run_id: str) -> str:
    """A model as MLflow logs one, without files."""
    model = registry.client().create_logged_model(registry.experiment(), source_run_id=run_id)
    return str(model.model_id)


def registered(registry: Registry, inputs: str) -> int:
    with registry.run("night", inputs, {"seed": 0}) as run_id:
        return registry.register(logged(registry, run_id), run_id, inputs, {"trained_until_us": 7}).number


def test_a_folder_without_a_registry_says_that_nothing_was_trained_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="nothing was trained"):
        Registry(tmp_path / "mlflow").aliased(CHAMPION)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_alias_is_told_from_a_missing_model(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="nothing was trained"):
        registry.aliased(CHAMPION)
    registered(registry, "a")
    with pytest.raises(RegistryError, match="none is champion"):
        registry.aliased(CHAMPION)
    with pytest.raises(RegistryError, match=r"no version 5; there are 1"):
        registry.version(5)


def test_a_version_carries_what_it_was_trained_on(registry: Registry) -> None:
    number = registered(registry, "a")
    version = registry.version(number)
    assert (version.inputs, version.trained_until_us, version.aliases) == ("a", 7, ())
    assert registry.with_inputs("a") == version
    assert registry.with_inputs("b") is None


def test_an_alias_points_at_one_version_and_moves(registry: Registry) -> None:
    for inputs in ("a", "b"):
        registry.point(CHALLENGER, registry.version(registered(registry, inputs)))
    assert {v.number: v.aliases for v in registry.versions()} == {2: (CHALLENGER,), 1: ()}


def test_runs_lie_in_the_studys_experiment_with_their_settings(registry: Registry) -> None:
    registered(registry, "a")
    run = registry.client().get_run(registry.version(1).run_id)
    assert (run.info.status, run.data.params, run.data.tags["inputs"]) == ("FINISHED", {"seed": "0"}, "a")
    assert registry.client().get_experiment_by_name("sleep study").experiment_id == run.info.experiment_id
    assert run.info.artifact_uri.startswith(registry.artifacts.as_uri())


def test_a_run_that_failed_says_so(registry: Registry) -> None:
    with pytest.raises(ZeroDivisionError), registry.run("night", "a", {}) as run_id:
        raise ZeroDivisionError
    assert registry.client().get_run(run_id).info.status == "FAILED"


def test_runs_that_were_killed_are_closed(registry: Registry) -> None:
    client = registry.client()
    registered(registry, "a")
    client.update_run(registry.version(1).run_id, "RUNNING")
    killed = client.create_run(registry.experiment())
    assert registry.mend() == 2
    assert client.get_run(registry.version(1).run_id).info.status == "FINISHED"
    assert client.get_run(killed.info.run_id).info.status == "KILLED"
    assert registry.mend() == 0


def test_figures_without_a_value_are_left_out_of_the_metrics(registry: Registry) -> None:
    registered(registry, "a")
    registry.log_metrics(registry.version(1), {"P2.mae": 9.5, "P2.none": float("nan")})
    assert registry.client().get_run(registry.version(1).run_id).data.metrics == {"P2.mae": 9.5}


def test_two_first_writers_at_once_both_find_one_database(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from models.registry import Registry;"
        "print(Registry(Path(sys.argv[1]), 'study').experiment())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "mlflow")]
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [writer.communicate()[0].strip() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(set(said)) == 1


def test_a_run_says_which_content_it_learned_from(registry: Registry) -> None:
    with registry.run("night", "a", {}) as run_id:
        registry.log_dataset(run_id, "moments", "0123456789abcdef" * 2, {"people": 3})
    (used,) = registry.client().get_run(run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("moments", "0123456789abcdef" * 2)
    assert used.dataset.profile == '{"people": 3}'
