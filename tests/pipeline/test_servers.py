import json
import os
import signal
import socket
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from assets.study import Home
from pipeline.instance import prepare
from pipeline.lock import lock
from pipeline.servers import HOST, Server, ServerError, port, stop, watch
from pipeline.template import study_text
from tests.pipeline.pages import Pages, get, open_pages

WHERE = '{repositoryName: "__repository__", repositoryLocationName: "macromicro"}'
STATES = f"""{{
  schedulesOrError(repositorySelector: {WHERE}) {{
    ... on Schedules {{ results {{ name executionTimezone scheduleState {{ status }} }} }} }}
  sensorsOrError(repositorySelector: {WHERE}) {{ ... on Sensors {{ results {{ name sensorState {{ status }} }} }} }}
}}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    home = tmp_path_factory.mktemp("pages") / "home"
    home.mkdir()
    (home / "study.toml").write_text(study_text("pages", "Europe/Berlin"))
    opened = open_pages(home)
    yield opened
    if opened.process.poll() is None:
        opened.process.kill()


def test_the_schedule_and_the_sensor_run_without_being_switched_on(pages: Pages) -> None:
    states = pages.ask(STATES)
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
        launched = pages.launch("ingest")
        waited = pages.wait_for(launched, lambda run: "Waiting: " in json.dumps(run))
        assert waited["status"] == "STARTED"
    ended = pages.wait_for(launched, lambda run: run["status"] not in {"QUEUED", "STARTING", "STARTED"})
    assert ended["status"] == "SUCCESS"


def test_nothing_listens_beyond_loopback(pages: Pages) -> None:
    listening = [c.laddr.ip for p in pages.family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 2
    assert {ip.removeprefix("::ffff:") for ip in listening} == {HOST}


def test_only_this_user_may_ask_the_code_server(pages: Pages) -> None:
    [place] = yaml.safe_load((pages.home.dagster / "workspace.yaml").read_text())["load_from"]
    path = Path(place["grpc_server"]["socket"])
    assert path.is_socket()
    assert (path.parent.stat().st_mode & 0o777, path.parent.stat().st_uid) == (0o700, os.getuid())


def test_one_interrupt_ends_everything(pages: Pages) -> None:
    [place] = yaml.safe_load((pages.home.dagster / "workspace.yaml").read_text())["load_from"]
    pages.process.send_signal(signal.SIGINT)
    assert pages.process.wait(timeout=60) == 0
    _, alive = psutil.wait_procs(pages.family, timeout=20)
    assert alive == []
    assert not Path(place["grpc_server"]["socket"]).parent.exists()


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
