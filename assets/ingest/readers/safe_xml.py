"""XML as a stream of elements: no entities, no DTD acted upon, bounded memory however large the file is.

Apple's exports carry a DTD that is not even well-formed in some versions, so an internal subset is cut out before the
parser sees the document, after making sure that it declares no entity. Any DTD that still arrives, and any element
that grows without end, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO
from xml.parsers import expat

from assets.errors import DumpError

Start = Callable[[str, dict[str, str]], None]
_CHUNK = 1 << 20
_LONGEST_DTD = 4 << 20
_LONGEST_ELEMENT = 32 << 20
_MOST_DAMAGE = 1000
_NEXT = re.compile(rb"\n\s*<(?=[A-Z])")


def stream_elements(file: BinaryIO, start: Start) -> int:
    """Call `start` with the name and attributes of every element; gives how many damaged places were skipped.

    A place that is no XML is skipped up to the next line that begins an element.

    Raises:
        DumpError: it declares entities, is damaged throughout, or is no XML at all.
    """
    rest, root = _without_dtd(file)
    parser = _parser(start)
    fed, damaged = 0, 0
    while True:
        try:
            parser.Parse(rest, False)
            fed += len(rest)
            if fed - max(parser.CurrentByteIndex, 0) > _LONGEST_ELEMENT:
                message = "an element of its XML does not end within 32 MB: the file is damaged or made to do harm"
                raise DumpError(message)
            rest = file.read(_CHUNK)
            if not rest:
                parser.Parse(b"", True)
                return damaged
        except expat.ExpatError as error:
            damaged += 1
            if damaged > _MOST_DAMAGE or not root:
                message = f"its XML is damaged ({expat.ErrorString(error.code)}): export it again"
                raise DumpError(message) from error
            at = max(parser.ErrorByteIndex - fed, 0)
            rest = _resumed(rest[at:], file)
            if not rest:
                return damaged
            parser, fed = _parser(start), 0
            parser.Parse(root, False)
            fed = len(root)


def _resumed(rest: bytes, file: BinaryIO) -> bytes:
    """From the next line on that begins an element; nothing where none does."""
    while rest:
        found = _NEXT.search(rest)
        if found:
            return rest[found.start() :] + file.read(_CHUNK)
        more = file.read(_CHUNK)
        if not more:
            return b""
        rest = rest[-4096:] + more
    return b""


def _parser(start: Start) -> expat.XMLParserType:
    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    return parser


def _refuse(*_: object) -> int:
    message = "its XML declares a document type or entities where none belong: refused, nothing was expanded"
    raise DumpError(message)


def _without_dtd(file: BinaryIO) -> tuple[bytes, bytes]:
    """The beginning of a document without its DTD, and its root element's start (empty where none is seen)."""
    head = file.read(_CHUNK)
    while len(head) < _LONGEST_DTD and re.search(rb"<[A-Za-z]", head) is None and (more := file.read(_CHUNK)):
        head += more
    begin = head.find(b"<!DOCTYPE")
    first = re.search(rb"<[A-Za-z]", head)
    if begin >= 0 and (first is None or begin < first.start()):
        inside = head[begin:]
        subset = re.match(rb"<!DOCTYPE[^\[>]*\[", inside)
        end = re.search(rb"\]\s*>", inside) if subset else re.search(rb">", inside)
        if end is None or re.search(rb"<!ENTITY|%\w+;", inside[: end.end()]):
            _refuse()
        else:
            head = head[:begin] + inside[end.end() :]
        first = re.search(rb"<[A-Za-z]", head)
    name = re.match(rb"<([A-Za-z][\w.-]*)", head[first.start() :]) if first else None
    return head, b"<" + name[1] + b">" if name else b""
