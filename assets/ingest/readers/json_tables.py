"""JSON of survey servers as tables of text: an array of objects, one object a line, or one object.

Nested objects become dotted columns (`value.timeCompleted`), as the same servers write them in CSV; a list of
answers within an object becomes columns by question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from assets.errors import DumpError
from assets.ingest.encodings import decoded
from assets.ingest.readers.text_tables import TextTable
from assets.ingest.source import Source

QUESTION_KEYS = ("questionId", "question_id", "questionID", "id", "item", "name", "key")
# JSON is parsed whole and takes many times its size in memory: what is larger is no export of surveys or wristbands.
MOST_BYTES = 256 * 2**20
VALUE_KEYS = ("value", "answer", "response", "score")


def is_json(source: Source) -> bool:
    """Whether a file begins as JSON does."""
    head = source.head().lstrip(b"\xef\xbb\xbf \r\n\t")[:200] if source.single else b""
    return head.startswith((b"[", b"{")) and b'"' in head


def read_json(source: Source) -> Any:
    """The document that a file holds.

    Raises:
        DumpError: it is no JSON, cut, nested without end, or far too large for what is read here.
    """
    if source.only.size > MOST_BYTES:
        message = f"a JSON of {source.only.size // 2**20} MB: those up to {MOST_BYTES // 2**20} MB are read, split it"
        raise DumpError(message)
    return parse_json(source.only.read(MOST_BYTES))


def parse_json(data: bytes) -> Any:
    """A JSON document, or one object a line as a list.

    Raises:
        DumpError: it is no JSON, cut, or nested without end.
    """
    text = decoded(data)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            if len(lines) > 1 and lines[0].strip().endswith("}"):
                return [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            pass
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        message = f"the JSON is cut or damaged{place}: export it again"
        raise DumpError(message) from error


def json_table(document: Any) -> TextTable:
    """A document's objects as rows.

    Raises:
        DumpError: it holds no list of objects.
    """
    objects = _objects(document)
    if not objects:
        message = "the JSON holds no list of objects, so there are no rows in it"
        raise DumpError(message)
    rows = [_flat(o) for o in objects]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return TextTable(tuple(names), [[row.get(name, "") for name in names] for row in rows])


def _objects(document: Any) -> list[Mapping[str, Any]]:
    if isinstance(document, list):
        return [o for o in document if isinstance(o, dict)]
    if isinstance(document, dict):
        lists = [v for v in document.values() if isinstance(v, list) and v and all(isinstance(o, dict) for o in v)]
        has_own = any(not isinstance(v, (list, dict)) for v in document.values())
        return max(lists, key=len) if lists and not has_own else [document]
    return []


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, dict):
            found |= {name: _scalar(inner)} if _is_union(inner) else _flat(inner, f"{name}.")
        elif isinstance(inner, list):
            found |= _answers(inner)
        else:
            found[name] = "" if inner is None else str(inner)
    return found


def _answers(items: Iterable[Any]) -> dict[str, str]:
    """A list of `{questionId, value}` objects as columns; other lists say nothing here."""
    found: dict[str, str] = {}
    for item in items:
        if isinstance(item, dict):
            question = next((item[k] for k in QUESTION_KEYS if isinstance(item.get(k), (str, int))), None)
            value = next((item[k] for k in VALUE_KEYS if k in item), None)
            if question is not None:
                found[str(question)] = (
                    _scalar(value) if isinstance(value, dict) else str("" if value is None else value)
                )
    return found


def _is_union(value: Mapping[str, Any]) -> bool:
    """Whether an object is Avro's way of writing one value with its type: `{"int": 3}`."""
    return len(value) == 1 and next(iter(value)) in {"int", "long", "float", "double", "string", "boolean"}


def _scalar(value: Mapping[str, Any]) -> str:
    inner = next(iter(value.values()), "")
    return "" if inner is None else str(inner)
