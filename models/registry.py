"""The MLflow registry of one study: its runs, the versions of `macro-micro`, and who is champion.

One SQLite database and one artifact folder under the data home, named by absolute addresses, since MLflow's defaults
depend on the working directory. The database is made once, under a lock: simultaneous first writers crash.

A version is created last, in one transaction with all its tags, from a model whose files are complete. So a night
that was killed leaves at most a run without an end or a version without an alias: the next night closes the one and,
by the `inputs` tag, finds the other again instead of registering it twice. An alias never points at anything else.
What a version holds is `models/pyfunc.py`; who deserves an alias is `models/gate.py`.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.environment import environment
from models.errors import RegistryError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

MODEL = "macro-micro"
CHALLENGER, CHAMPION = "challenger", "champion"
INPUTS, TRAINED_UNTIL = "inputs", "trained_until_us"
LOG_EVERY = 500  # metrics a batch: MLflow refuses more than 1,000 at once
RUNS_AT_ONCE = 100


@dataclass(frozen=True)
class Version:
    """One registered version of `macro-micro`."""

    number: int
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def inputs(self) -> str:
        """Digest of what it was fitted on, by which code and settings."""
        return self.tags.get(INPUTS, "")

    @property
    def trained_until_us(self) -> int:
        """Time of the last answer in its training, UTC µs."""
        return int(self.tags.get(TRAINED_UNTIL, "0"))

    @property
    def uri(self) -> str:
        """How MLflow users load it."""
        return f"models:/{MODEL}/{self.number}"


class Registry:
    """The registry under one folder (`home.mlflow`)."""

    def __init__(self, folder: Path, study: str = "study") -> None:
        self.folder, self.study = folder.resolve(), study

    @property
    def uri(self) -> str:
        """Tracking and registry address: absolute SQLite."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Where runs and models keep their files."""
        return self.folder / "artifacts"

    def client(self) -> MlflowClient:
        """An MLflow client of this registry, whose database exists by then; MLflow's own state points at it too."""
        _quiet()
        import mlflow

        self._initialise()
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient(self.uri, self.uri)

    def experiment(self) -> str:
        """The study's experiment, made where it is missing; its id."""
        from mlflow.exceptions import MlflowException

        client = self.client()
        found = client.get_experiment_by_name(self.study)
        if found is None:
            try:
                return str(client.create_experiment(self.study, artifact_location=self.artifacts.as_uri()))
            except MlflowException:  # another process was first
                found = client.get_experiment_by_name(self.study)
                if found is None:
                    raise
        return str(found.experiment_id)

    @contextmanager
    def run(self, name: str, inputs: str, params: Mapping[str, object]) -> Iterator[str]:
        """One MLflow run, tagged with its inputs.

        Yields:
            The run's id. It ends FINISHED, or FAILED when an error passes through.
        """
        import mlflow

        client, experiment = self.client(), self.experiment()
        with mlflow.start_run(experiment_id=experiment, run_name=name, tags={INPUTS: inputs}) as run:
            for key, value in params.items():
                client.log_param(run.info.run_id, key, value)
            yield str(run.info.run_id)

    def log_dataset(self, run_id: str, name: str, digest: str, profile: Mapping[str, int]) -> None:
        """Say what a run learns from, for MLflow's pages: a name, a hash of the content (36 characters), and counts."""
        from mlflow.entities import Dataset, DatasetInput

        told = json.dumps(dict(profile))
        dataset = Dataset(name, digest, "lake", json.dumps({"table": name}), profile=told)
        self.client().log_inputs(run_id, [DatasetInput(dataset)])

    def log_environment(self, run_id: str) -> None:
        """Keep with a run what it was made with, as `environment.txt`."""
        self.client().log_text(run_id, environment(), "environment.txt")

    def mend(self, where: str = "") -> int:
        """Close runs that a killed night left open, and how many there were. One night runs at a time.

        `where` narrows it down, in MLflow's filter language.

        A run whose version was registered had done its work: it counts as finished, the others as killed.
        """
        client, worked = self.client(), {v.run_id for v in self.versions()}
        asked = " and ".join(["attributes.status = 'RUNNING'", *([where] if where else [])])
        left = client.search_runs([self.experiment()], asked)
        for run in left:
            client.set_terminated(run.info.run_id, "FINISHED" if run.info.run_id in worked else "KILLED")
        return len(left)

    def register(self, model_id: str, run_id: str, inputs: str, tags: Mapping[str, object]) -> Version:
        """A new version from a logged model whose files are complete; tags and version appear in one step."""
        client = self.client()
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL, description=_DESCRIPTION)
        texts = {key: str(value) for key, value in {**tags, INPUTS: inputs}.items()}
        made = client.create_model_version(
            MODEL, f"models:/{model_id}", run_id=run_id, tags=texts, model_id=model_id, await_creation_for=0
        )
        return self.version(int(made.version))

    def with_inputs(self, inputs: str) -> Version | None:
        """The version that was fitted on exactly these inputs, if there is one."""
        return next((v for v in self.versions() if v.inputs == inputs), None)

    def versions(self) -> list[Version]:
        """Every version, newest first; none where nothing was ever registered."""
        if not self.exists():
            return []
        client = self.client()
        found = client.search_model_versions(f"name = '{MODEL}'", order_by=["version_number DESC"], max_results=10_000)
        aliases: dict[int, list[str]] = {}
        for model in client.search_registered_models(f"name = '{MODEL}'"):
            for alias, number in model.aliases.items():
                aliases.setdefault(int(number), []).append(alias)
        return [_version(v, aliases.get(int(v.version), [])) for v in found]

    def version(self, number: int) -> Version:
        """One version by number.

        Raises:
            RegistryError: there is no such version.
        """
        versions = self.versions()
        for version in versions:
            if version.number == number:
                return version
        self._nothing_registered(versions)
        message = f"{MODEL} has no version {number}; there are {', '.join(str(v.number) for v in reversed(versions))}"
        raise RegistryError(message)

    def aliased(self, alias: str) -> Version:
        """The version that an alias points at.

        Raises:
            RegistryError: nothing was ever registered, or no version carries the alias; the message tells them apart.
        """
        versions = self.versions()
        for version in versions:
            if alias in version.aliases:
                return version
        self._nothing_registered(versions)
        message = (
            f"{MODEL} has {len(versions)} version(s) but none is {alias}: the gate has promoted none yet. "
            "`macromicro status` shows its last decision."
        )
        raise RegistryError(message)

    def champion(self) -> Version | None:
        """The champion, or None where there is none yet."""
        return next((v for v in self.versions() if CHAMPION in v.aliases), None)

    def point(self, alias: str, version: Version) -> None:
        """Let an alias point at a version (moves it where it pointed elsewhere)."""
        self.client().set_registered_model_alias(MODEL, alias, str(version.number))

    def tag(self, version: Version, tags: Mapping[str, object]) -> None:
        """Set tags on a version; figures are written as JSON."""
        client = self.client()
        for key, value in tags.items():
            text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            client.set_model_version_tag(MODEL, str(version.number), key, text)

    def log_metrics(self, version: Version, metrics: Mapping[str, float]) -> None:
        """Add figures to the run that made a version; those that are no finite number are left out."""
        from mlflow.entities import Metric

        rows = [Metric(key, value, 0, 0) for key, value in sorted(metrics.items()) if abs(value) < float("inf")]
        client = self.client()
        for start in range(0, len(rows), LOG_EVERY):
            client.log_batch(version.run_id, metrics=rows[start : start + LOG_EVERY])

    def describe(self, version: Version, card: str, pictures: Mapping[str, Figure]) -> None:
        """Set a version's model card: its description, and with pictures an artifact of the run that made it."""
        client = self.client()
        client.update_model_version(MODEL, str(version.number), description=card)
        client.log_text(version.run_id, card, "model-card.md")
        for name, figure in pictures.items():
            client.log_figure(version.run_id, figure, name)

    def metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        """The figures of some runs, by run; runs that are gone are left out."""
        client, found = self.client(), {}
        for start in range(0, len(run_ids), RUNS_AT_ONCE):
            listed = ", ".join(f"'{run_id}'" for run_id in run_ids[start : start + RUNS_AT_ONCE])
            runs = client.search_runs([self.experiment()], f"attributes.run_id IN ({listed})", max_results=RUNS_AT_ONCE)
            found.update({str(run.info.run_id): dict(run.data.metrics) for run in runs})
        return found

    def folder_of(self, version: Version) -> Path:
        """The folder of a version's files (`MLmodel` and what it names)."""
        from mlflow.artifacts import download_artifacts

        self.client()
        return Path(download_artifacts(artifact_uri=version.uri, registry_uri=self.uri, tracking_uri=self.uri))

    def model_of(self, version: Version) -> Path:
        """The folder in it that `models.packaging.save` wrote."""
        return self.folder_of(version) / "artifacts" / "model"

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        return (self.folder / "mlflow.db").is_file()

    def _nothing_registered(self, versions: list[Version]) -> None:
        if not versions:
            message = f"{self.folder} holds no model {MODEL} yet: nothing was trained. Run: macromicro run"
            raise RegistryError(message)

    def _initialise(self) -> None:
        """Make the database with its tables aside and move it into place, once for all processes."""
        if self.exists():
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self.artifacts.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.exists():
                new = self.folder / "mlflow.db.new"
                new.unlink(missing_ok=True)
                store = SqlAlchemyStore(f"sqlite:///{new}", self.artifacts.as_uri())  # type: ignore[no-untyped-call]
                store.engine.dispose()
                new.replace(self.folder / "mlflow.db")


_DESCRIPTION = (
    "Personal, daily estimates of self-reported affect with intervals, by a correction to a personal baseline. "
    "For research; not a medical device."
)


def _version(found: ModelVersion, aliases: list[str]) -> Version:
    tags: dict[str, Any] = dict(found.tags)
    return Version(int(found.version), str(found.run_id), tags, tuple(sorted(aliases)))


def _quiet() -> None:
    """Before MLflow is imported: no telemetry, and no log lines that say nothing to a researcher."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    logging.getLogger("alembic").setLevel(logging.ERROR)
