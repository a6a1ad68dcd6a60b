import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from assets.study import Home
from pipeline.instance import prepare
from pipeline.lock import lock
from pipeline.servers import HOST, Server, ServerError, port, stop, watch
from pipeline.template import study_text

WHERE = '{repositoryName: "__repository__", repositoryLocationName: "macromicro"}'
STATES = f"""{{
  schedulesOrError(repositorySelector: {WHERE}) {{
    ... on Schedules {{ results {{ name executionTimezone scheduleState {{ status }} }} }} }}
  sensorsOrError(repositorySelector: {WHERE}) {{ ... on Sensors {{ results {{ name sensorState {{ status }} }} }} }}
}}"""
LAUNCH = f"""mutation {{ launchRun(executionParams: {{
  selector: {WHERE[:-1]}, jobName: "ingest"}}, mode: "default", runConfigData: {{}}
}}) {{ ... on LaunchRunSuccess {{ run {{ runId }} }} ... on PythonError {{ message }} }} }}"""
RUN = """{ runOrError(runId: "%s") { ... on Run { status
  eventConnection { events { ... on EngineEvent { message } } } } } }"""


@dataclass
class Pages:
    """A running `macromicro ui`: its addresses and everything it started."""

    home: Home
    process: subprocess.Popen[str]
    dagster: str
    mlflow: str
    family: list[psutil.Process]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    home = tmp_path_factory.mktemp("pages") / "home"
    home.mkdir()
    (home / "study.toml").write_text(study_text("pages", "Europe/Berlin"))
    ports = port(None, 23000), port(None, 25000)
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "ui"]
    command += ["--port", str(ports[0]), "--mlflow-port", str(ports[1])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    family = psutil.Process(process.pid).children(recursive=True)
    dagster, mlflow = (f"http://{HOST}:{number}" for number in ports)
    assert dagster in said
    assert mlflow in said
    yield Pages(Home(home), process, dagster, mlflow, family)
    if process.poll() is None:
        process.kill()


def get(address: str, body: bytes | None = None, **headers: str) -> str:
    request = urllib.request.Request(address, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def ask(address: str, query: str) -> Any:
    body = json.dumps({"query": query}).encode()
    return json.loads(get(f"{address}/graphql", body, **{"Content-Type": "application/json"}))["data"]


def test_the_schedule_and_the_sensor_run_without_being_switched_on(pages: Pages) -> None:
    states = ask(pages.dagster, STATES)
    schedules, sensors = (states[kind]["results"] for kind in ("schedulesOrError", "sensorsOrError"))
    assert {(s["scheduleState"]["status"], s["executionTimezone"]) for s in schedules} == {("RUNNING", "Europe/Berlin")}
    assert "inbox" in {s["name"] for s in sensors}
    assert {s["sensorState"]["status"] for s in sensors} == {"RUNNING"}


def test_the_mlflow_server_answers_on_loopback_and_refuses_other_host_names(pages: Pages) -> None:
    assert get(f"{pages.mlflow}/version").startswith("3.")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(f"{pages.mlflow}/ajax-api/2.0/mlflow/experiments/get?experiment_id=0", Host="elsewhere.example")


def test_a_run_of_the_daemon_waits_for_the_command_that_holds_the_home(pages: Pages) -> None:
    with lock(pages.home, "macromicro run"):
        launched = ask(pages.dagster, LAUNCH)["launchRun"]["run"]["runId"]
        waited = wait_for(pages, launched, lambda run: "Waiting: " in json.dumps(run))
        assert waited["status"] == "STARTED"
    ended = wait_for(pages, launched, lambda run: run["status"] not in {"QUEUED", "STARTING", "STARTED"})
    assert ended["status"] == "SUCCESS"


def wait_for(pages: Pages, run: str, true: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = ask(pages.dagster, RUN % run)["runOrError"]
        if true(found):
            return found
        time.sleep(0.3)
    raise AssertionError(found)


def test_nothing_listens_beyond_loopback(pages: Pages) -> None:
    listening = [c.laddr.ip for p in pages.family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 3
    assert {ip.removeprefix("::ffff:") for ip in listening} == {HOST}


def test_one_interrupt_ends_everything(pages: Pages) -> None:
    pages.process.send_signal(signal.SIGINT)
    assert pages.process.wait(timeout=60) == 0
    _, alive = psutil.wait_procs(pages.family, timeout=20)
    assert alive == []


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {taken} on {HOST} is taken"):
            port(taken, 3000)
        assert port(None, taken) > taken


def server(tmp_path: Path, code: str) -> Server:
    made = Server("A toy", [sys.executable, "-c", code], tmp_path / "toy.log", lambda: True)
    made.start(dict(os.environ), tmp_path)
    return made


def test_a_server_that_ends_by_itself_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    toy = server(tmp_path, "print('no room left'); raise SystemExit(3)")
    with pytest.raises(ServerError, match=r"(?s)A toy ended by itself \(code 3\).*no room left"):
        watch([toy])


def test_a_server_that_ignores_a_polite_end_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.servers.STOP_S", 0.5)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {stubborn!r}]); {stubborn}"
    toy = server(tmp_path, code)
    while toy.log.read_text().count("up") < 2:
        pass
    family = toy.tree()
    assert len(family) == 2
    stop([toy])
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family)


def test_what_a_server_starts_while_it_is_being_ended_is_killed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a run that was just beginning when the pages were ended: it starts `tail` to copy its output."""
    monkeypatch.setattr("pipeline.servers.STOP_S", 3.0)
    note = tmp_path / "child"
    late = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, file=open(sys.argv[1], 'w'))"
    code = (
        "import signal, subprocess, time\n"
        f"def start(*_): {late.replace('sys.argv[1]', repr(str(note)))}\n"
        "signal.signal(signal.SIGTERM, start); print('up', flush=True)\n"
        "while True: time.sleep(0.1)\n"
    )
    toy = server(tmp_path, code)
    while "up" not in toy.log.read_text():
        pass
    stop([toy])
    child = int(note.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_nothing_of_ours_lies_where_dagster_takes_telemetry_from(home: Home) -> None:
    prepare(home)
    from pipeline.instance import logs

    assert home.dagster not in logs(home).parents
