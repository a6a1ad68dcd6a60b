"""The evaluation's twin, kept in the lake from one macro night to the next.

Weights are safetensors, as in the registry; with them stands until when the twin has whose answers, so that nothing it
was fitted on is ever tested. It belongs to a line: the macro version made of the same inputs, and its micro updates.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from assets.lake import Lake
from models.errors import ModelError

if TYPE_CHECKING:
    from models.macro_micro import MacroMicro

FOLDER, LINE = "learning/twin", "learning/twin.json"


def keep_twin(lake: Lake, line: str, model: MacroMicro) -> None:
    """Keep a twin in place of the one before; the note of whose it is comes last."""
    from models.packaging import save

    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder))
        files = sorted(Path(folder).iterdir())
        _note(lake, "", [])  # a writer killed on the way leaves a twin of no line
        for file in files:
            lake.write_bytes(f"{FOLDER}/{file.name}", file.read_bytes())
    _note(lake, line, [file.name for file in files])


def read_twin(lake: Lake, line: str) -> MacroMicro | None:
    """The twin of a line; None where there is none that this code can read."""
    from models.packaging import load

    data = lake.read_bytes(LINE)
    kept = json.loads(data) if data else None
    if kept is None or kept["line"] != line:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name in kept["files"]:
            content = lake.read_bytes(f"{FOLDER}/{name}")
            if content is None:
                return None
            (Path(folder) / name).write_bytes(content)
        try:
            return load(Path(folder))
        except ModelError:
            return None


def _note(lake: Lake, line: str, files: list[str]) -> None:
    lake.write_bytes(LINE, json.dumps({"line": line, "files": files}).encode())
