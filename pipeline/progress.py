"""What a person sees of a run while it goes on, and the log that keeps the rest.

Listens to one Dagster run's events: a line on the terminal for each step that ends, and every event with its time
into one file under the home's Dagster folder. Knows nothing of what the steps do.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from models.errors import MacromicroError

if TYPE_CHECKING:
    import dagster as dg
    from dagster_shared.error import SerializableErrorInfo


@dataclass
class Watcher:
    """Follows a run: `failures` holds a readable line for each step that failed, `kinds` its error's class."""

    console: Console
    log: Path
    failures: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    _status: Status | None = None

    def __call__(self, event: dg.EventLogEntry) -> None:
        """Take one event of the run."""
        self._write(event)
        happened = event.dagster_event
        if happened is None:
            self._note(event)
            return
        if happened.is_step_start:
            self._status = self.console.status(f"[bold]{_name(happened.step_key)}[/] …", spinner="dots")
            self._status.start()
        elif happened.is_step_success:
            seconds = happened.step_success_data.duration_ms / 1000
            self._end(f"[green]✓[/] {_name(happened.step_key):<28}[dim]{seconds:7.1f} s[/]")
        elif happened.is_step_failure:
            reason = readable(happened.step_failure_data.error)
            self._end(f"[red]✗[/] {_name(happened.step_key)}")
            self.failures.append(f"{_name(happened.step_key)}: {reason}")
            self.kinds.append(kind(happened.step_failure_data.error))
        elif happened.event_type_value == "ASSET_CHECK_EVALUATION":
            check = happened.asset_check_evaluation_data
            if not check.passed:
                self.failures.append(f"{check.asset_key.to_user_string()}: {check.description or check.check_name}")
                colour = "red" if check.blocking else "yellow"
                self.console.print(f"[{colour}]![/] {self.failures[-1]}", highlight=False)
                if not check.blocking:
                    self.failures.pop()

    def close(self) -> None:
        """Take the last line of progress off the terminal."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _note(self, event: dg.EventLogEntry) -> None:
        """Show what a step says of its progress beside its name."""
        if self._status is not None and event.level == logging.INFO:
            self._status.update(f"[bold]{_name(event.step_key)}[/]  [dim]{escape(event.user_message)}[/]")

    def _end(self, line: str) -> None:
        self.close()
        self.console.print(line, highlight=False)

    def _write(self, event: dg.EventLogEntry) -> None:
        when = datetime.fromtimestamp(event.timestamp, UTC).isoformat(timespec="milliseconds")
        level = logging.getLevelName(event.level) if isinstance(event.level, int) else event.level
        text = event.message or event.user_message
        happened = event.dagster_event
        error = happened.step_failure_data.error if happened and happened.is_step_failure else None
        with self.log.open("a") as file:
            file.write(f"{when} {level} {event.step_key or '-'} {text}\n")
            if error is not None:
                file.write(error.to_string() + "\n")


def readable(error: SerializableErrorInfo | None) -> str:
    """The message of the error that a step's failure began with: ours as it stands, else its class and first line."""
    if error is None:
        return "it failed without saying why"
    first = _first(error)
    name, _, message = first.message.strip().partition(": ")
    if first.cls_name in _ours():
        return message
    lines = (message or name).strip().splitlines()
    return f"{first.cls_name}: {lines[0] if lines else ''}"


def kind(error: SerializableErrorInfo | None) -> str:
    """The class of the error that a failure began with."""
    return (_first(error).cls_name if error else None) or "error"


def _first(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """The error it began with; where one of ours says what that means, ours."""
    chain = [error]
    while chain[-1].cause is not None:
        chain.append(chain[-1].cause)
    ours = _ours()
    return next((one for one in reversed(chain) if one.cls_name in ours), chain[-1])


def _ours() -> set[str]:
    return {cls.__name__ for cls in _family(MacromicroError)}


def _family(cls: type[MacromicroError]) -> set[type[MacromicroError]]:
    return {cls}.union(*(_family(sub) for sub in cls.__subclasses__()))


def _name(step: str | None) -> str:
    return (step or "run").replace("_", " ")
