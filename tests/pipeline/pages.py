"""`macromicro ui` in a process of its own, for tests: its addresses, all that it started, and how to ask its pages."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from assets.study import Home
from pipeline.servers import HOST, port

Found = TypeVar("Found")
LAUNCH = """mutation($job: String!, $tags: [ExecutionTag!]) {
  launchRun(executionParams: {
    selector: {repositoryName: "__repository__", repositoryLocationName: "macromicro", jobName: $job},
    mode: "default", runConfigData: {}, executionMetadata: {tags: $tags}
  }) { ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query($run: ID!) { runOrError(runId: $run) { ... on Run { status
  eventConnection { events { ... on EngineEvent { message } } } } } }"""
BACKFILL = """mutation($days: [String!]!, $assets: [AssetKeyInput!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $days}) {
    ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILLED = """query($backfill: String!) {
  partitionBackfillOrError(backfillId: $backfill) {
    ... on PartitionBackfill { status runs(limit: 100) { runId } } } }"""


@dataclass
class Pages:
    """A running `macromicro ui`: its addresses and everything it started."""

    home: Home
    process: subprocess.Popen[str]
    dagster: str
    mlflow: str
    family: list[psutil.Process]

    def ask(self, query: str, **variables: object) -> Any:
        """What Dagster's web server answers to a query, as its own pages ask it."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = json.loads(get(f"{self.dagster}/graphql", body, **{"Content-Type": "application/json"}))
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def launch(self, job: str, tags: Mapping[str, str] | None = None) -> str:
        """Launch a job as the button in the pages does; the run's id."""
        given = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        launched = self.ask(LAUNCH, job=job, tags=given)["launchRun"]
        assert "run" in launched, launched
        return str(launched["run"]["runId"])

    def backfill(self, assets: Sequence[str], days: Sequence[str], seconds: float) -> tuple[str, list[str]]:
        """Ask for some days of assets as "Materialize" on an asset's page does; how it ended, and its runs."""
        paths = [{"path": [name]} for name in assets]
        asked = self.ask(BACKFILL, days=list(days), assets=paths)["launchPartitionBackfill"]

        def over() -> Any:
            found = self.ask(BACKFILLED, backfill=asked["backfillId"])["partitionBackfillOrError"]
            return None if found["status"] in {"REQUESTED", "IN_PROGRESS"} else found

        ended = until(over, seconds)
        return ended["status"], [run["runId"] for run in ended["runs"]]

    def wait_for(self, run: str, true: Callable[[Any], bool], seconds: float = 300) -> Any:
        """A run, once something is true of it."""

        def found() -> Any:
            state = self.ask(RUN, run=run)["runOrError"]
            return state if true(state) else None

        return until(found, seconds)

    def end(self) -> None:
        """Ctrl-C, and wait until everything has ended."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=120) == 0

    def kill(self) -> None:
        """As when the machine loses its power: every process at once, runs included, none asked."""
        everything = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in everything:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        _, alive = psutil.wait_procs(everything, timeout=30)
        assert alive == []


@contextmanager
def opened(home: Path) -> Iterator[Pages]:
    """`macromicro ui` for as long as the block runs, from when its pages answer."""
    pages = open_pages(home)
    try:
        yield pages
    finally:
        if pages.process.poll() is None:
            pages.kill()


def open_pages(home: Path) -> Pages:
    """`macromicro ui`, once its pages answer."""
    ports = port(None, 23000), port(None, 25000)
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "ui"]
    command += ["--port", str(ports[0]), "--mlflow-port", str(ports[1])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, said + process.communicate()[1]
        said += line
    family = psutil.Process(process.pid).children(recursive=True)
    dagster, mlflow = (f"http://{HOST}:{number}" for number in ports)
    assert dagster in said
    assert mlflow in said
    return Pages(Home(home), process, dagster, mlflow, family)


def get(address: str, body: bytes | None = None, **headers: str) -> str:
    """What a server answers."""
    request = urllib.request.Request(address, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def until(look: Callable[[], Found], seconds: float = 300) -> Found:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{look} found nothing within {seconds:.0f} s"
        time.sleep(0.3)
    return found
