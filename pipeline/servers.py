"""The pages: Dagster's code server, web server and daemon, and the MLflow server, as children of one command.

The pages listen on 127.0.0.1 only: none asks for a password. The code server, which runs whatever it is asked to,
listens on a socket in a folder that only this user may enter: on a port, two studies that start at the same moment
would share it (gRPC lets several processes bind one), and runs of one would work on the home of the other. They live
and die together: when one ends by itself the others are ended too and the command says which and where its log is;
nothing is restarted behind anyone's back.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from assets.study import HOME_VARIABLE, Home
from models.errors import MacromicroError
from models.registry import Registry
from pipeline.instance import logs, prepare
from pipeline.lock import serving

HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1
START_S = 180.0
STOP_S = 20.0
DAGSTER_PORT, MLFLOW_PORT = 3000, 5000


class ServerError(MacromicroError):
    """A server cannot start, or ended by itself."""


@dataclass
class Server:
    """One child process: its command, its log, and how to tell that it answers."""

    name: str
    command: list[str]
    log: Path
    ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, environment: dict[str, str], folder: Path) -> None:
        """Start it in a process group of its own, so that Ctrl-C reaches only the command that owns it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (our own command)
                self.command,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=folder,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 (no thread is running here)
            )

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            ServerError: it ended, or does not answer in time; the message holds the end of its log.
        """
        deadline = time.monotonic() + START_S
        while not self.ready():
            self.check()
            if time.monotonic() > deadline:
                message = f"{self.name} does not answer after {START_S:.0f} s. Its log: {self.log}"
                raise ServerError(message)
            time.sleep(0.2)

    def check(self) -> None:
        """Raise a ServerError if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            end = "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])
            message = f"{self.name} ended by itself (code {self.process.returncode}). Its log, {self.log}, ends:\n{end}"
            raise ServerError(message)

    def tree(self) -> list[psutil.Process]:
        """The process and everything it started."""
        try:
            return _family(psutil.Process(self.process.pid)) if self.process else []
        except psutil.NoSuchProcess:
            return []


@dataclass(frozen=True)
class Addresses:
    """Where the pages are."""

    dagster: str
    mlflow: str


@contextmanager
def serve(home: Home, dagster_port: int | None, mlflow_port: int | None) -> Iterator[tuple[Addresses, list[Server]]]:
    """Start the servers, yield once all answer, and end every one of them on the way out.

    Raises:
        ServerError: a port that was asked for is taken, or a server does not come up.
        BusyError: they run already.
    """
    ports = port(dagster_port, DAGSTER_PORT), port(mlflow_port, MLFLOW_PORT)
    environment = _environment(home)
    with ExitStack() as stack:
        stack.enter_context(serving(home))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="macromicro-"))  # nobody else may enter it
        first, then = _servers(home, *ports, Path(folder) / "code.sock")
        started: list[Server] = []
        stack.callback(stop, started)
        for group in (first, then):
            for server in group:
                started.append(server)
                server.start(environment, home.dagster)
            for server in group:
                server.wait()
        yield Addresses(*(f"http://{HOST}:{p}" for p in ports)), started


def watch(servers: list[Server]) -> None:
    """Return never while all live; raise a ServerError as soon as one has ended."""
    while True:
        for server in servers:
            server.check()
        time.sleep(0.5)


def stop(servers: list[Server]) -> None:
    """End the servers and everything they started: politely first, for good after some seconds."""
    trees = [process for server in reversed(servers) for process in server.tree()]
    for server in reversed(servers):
        if server.process is not None and server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(trees, timeout=STOP_S)
    # A run that was just beginning may have started more since then, such as those who copy its output.
    left = {process for one in alive for process in _family(one)}
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)


def port(wanted: int | None, usual: int) -> int:
    """The port asked for, or the first free one from the usual on.

    Raises:
        ServerError: the port asked for is taken.
    """
    if wanted is not None and not _free(wanted):
        message = f"port {wanted} on {HOST} is taken; name another, or none to have a free one found"
        raise ServerError(message)
    return wanted or next(p for p in range(usual, usual + 1000) if _free(p))


def _servers(home: Home, dagster_port: int, mlflow_port: int, code: Path) -> tuple[list[Server], list[Server]]:
    """Those to start first, and those that need the code server, which listens at the socket `code`."""
    prepare(home)
    folder = logs(home)
    workspace = home.dagster / "workspace.yaml"
    workspace.write_text(f"load_from:\n  - grpc_server: {{socket: {code}, location_name: macromicro}}\n")
    python = [sys.executable, "-m"]
    loaded = [*python, "dagster", "code-server", "start", "-m", "pipeline.definitions", "--socket", str(code)]
    web = [*python, "dagster_webserver", "-h", HOST, "-p", str(dagster_port), "-w", str(workspace)]
    daemon = [*python, "dagster._daemon", "run", "-w", str(workspace)]
    tracking, beat = _mlflow(home, mlflow_port), time.time()
    first = [
        Server("Dagster's code server", loaded, folder / "code-server.log", lambda: _listens(code)),
        Server("The MLflow server", tracking, folder / "mlflow.log", lambda: _answers(mlflow_port, "/health")),
    ]
    then = [
        Server("Dagster's web server", web, folder / "web-server.log", lambda: _answers(dagster_port, "/server_info")),
        Server("Dagster's daemon", daemon, folder / "daemon.log", lambda: _beats(home, beat)),
    ]
    return first, then


def _mlflow(home: Home, port: int) -> list[str]:
    registry = Registry(home.mlflow)
    if not registry.exists():
        registry.client()
    where = ["--backend-store-uri", registry.uri, "--default-artifact-root", registry.artifacts.as_uri()]
    hosts = f"{HOST}:{port},localhost:{port}"
    network = f"--host {HOST} --port {port} --allowed-hosts {hosts} --workers 1".split(" ")
    return [sys.executable, "-m", "mlflow", "server", *where, *network]


def _beats(home: Home, since: float) -> bool:
    """Whether the daemon has said since then that it is alive."""
    from pipeline.instance import instance

    with instance(home) as storage:
        return any(beat.timestamp >= since for beat in storage.get_daemon_heartbeats().values())


def _family(process: psutil.Process) -> list[psutil.Process]:
    """The process and everything it started; nothing once it has ended."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _die_with_parent() -> None:
    """In a child, before it becomes the server: end when the command that started it is killed (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _environment(home: Home) -> dict[str, str]:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONUNBUFFERED": "1"}
    quiet["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # its job runner is for language models and takes memory
    code = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    places = {HOME_VARIABLE: str(home.root), "DAGSTER_HOME": str(home.dagster), "PYTHONPATH": code}
    return {**os.environ, **quiet, **places}


def _free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError:
            return False
    return True


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return path.exists() and probe.connect_ex(str(path)) == 0


def _answers(number: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{number}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
