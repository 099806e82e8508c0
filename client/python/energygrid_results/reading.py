"""Reading what may be damaged: files, strict JSON, journals, CSV, the manifest's seal. Whatever is wrong ends in a `Damaged` with a sentence.

Names and texts from files are never used as a path outside the directory and are shown with control characters escaped.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import re
import stat
from dataclasses import dataclass
from typing import Any, Iterator

MANIFEST = "manifest.json"
FOLDERS = ("traces/", "requests/")
_SAFE_NAME = re.compile(r"(?:traces/|requests/)?(?!\.)[^/\\\x00-\x1f\x7f]{1,200}\Z")
# Bytes of a file; an empty file system can hold one of any length that costs nothing to make and hours to read.
LONGEST = 2**31 - 1

_SEAL = b',\n  "sha256"'
_LINE_HEAD = b'{"sha256":"'
_LINE_MIDDLE = b'","document":'
_LARGEST_DEPTH = 60
_LARGEST_NUMBER = 1e30


class Damaged(Exception):
    """Something cannot be read; its text is a sentence for the user."""


def shown(value: object, limit: int = 160) -> str:
    """Text for a terminal: what does not print, and what turns the direction of writing, is escaped; long texts are cut."""
    text = value if isinstance(value, str) else str(value)
    clean = "".join(c if c.isprintable() and c not in "\u200e\u200f" else c.encode("unicode_escape", "backslashreplace").decode("ascii") for c in text[:limit])
    return clean + ("…" if len(text) > limit else "")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_safe_name(name: object) -> bool:
    """Whether a name is one of a file directly in the directory, or directly below `traces/` or `requests/`."""
    return isinstance(name, str) and _SAFE_NAME.match(name) is not None and all("\ud800" > c or c > "\udfff" for c in name)


def read_bytes(directory: str, name: str) -> bytes:
    """The bytes of a regular file of the directory. Links and devices are refused: what they lead to is not the directory's."""
    if not is_safe_name(name):
        raise Damaged(f"'{shown(name)}' is not a name of a file in this directory")
    path = os.path.join(directory, name)
    try:
        folder = name.rpartition("/")[0]
        if folder and os.path.islink(os.path.join(directory, folder)):
            raise Damaged(f"{folder} is a link, not a directory")
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Damaged(f"{shown(name)} is not a regular file")
            if os.fstat(descriptor).st_size > LONGEST:
                raise Damaged(f"{shown(name)} is longer than 2 GiB, as no file of results is")
            return file.read()
    except FileNotFoundError:
        raise Damaged(f"{shown(name)} is missing") from None
    except (OSError, ValueError) as error:
        raise Damaged(f"{shown(name)} cannot be read: {shown(getattr(error, 'strerror', None) or error)}") from None


def names_in(directory: str) -> list[str]:
    """Every file of the directory by its name with `/`, sorted; files in other folders too, so that they can be told."""
    found = []
    try:
        for here, folders, files in os.walk(directory, followlinks=False):
            links = [f for f in folders if os.path.islink(os.path.join(here, f))]
            for name in files + links:
                found.append(os.path.relpath(os.path.join(here, name), directory).replace(os.sep, "/"))
    except (OSError, ValueError) as error:
        raise Damaged(f"the directory cannot be listed: {shown(error)}") from None
    return sorted(found)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Damaged(f"the member '{shown(name)}' stands twice in an object")
            seen.add(name)
    # Another reader may take the one for the other.
    if len({name.casefold() for name in result if name.isalnum()}) < sum(1 for name in result if name.isalnum()):
        raise Damaged("two members of an object differ in the case of their letters only: " + ", ".join(shown(name, 40) for name in result if name.isalnum()))
    return result


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Damaged(f"the number {shown(text, 40)} is too large")
    return value


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= 20 else _float(text) if len(text) <= 400 else _constant("a number of so many digits")


def _constant(text: str) -> Any:
    raise Damaged(f"{text} is not a number of JSON here")


def parse_json(data: bytes, what: str) -> Any:
    """Strict JSON in UTF-8: no doubled members, no NaN or infinity, nothing after the end, at most 60 levels."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_float=_float, parse_int=_integer, parse_constant=_constant)
        _limit_depth(value)
        return value
    except Damaged as error:
        raise Damaged(f"{what}: {error}") from None
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise Damaged(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise Damaged(f"{what} is not JSON: {shown(error)}") from None


def _limit_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _LARGEST_DEPTH:
            raise Damaged(f"it is nested more than {_LARGEST_DEPTH} levels deep")
        level = [child for node in level if isinstance(node, (dict, list)) for child in (node.values() if isinstance(node, dict) else node)]


# Members of parsed JSON, by kind. `where` is the path of the object that is asked.

def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}[type(value)]


def member(container: Any, name: str, where: str) -> Any:
    if not isinstance(container, dict):
        raise Damaged(f"{where} is {_kind(container)}, not an object")
    if name not in container:
        raise Damaged(f"{where}.{name} is missing")
    return container[name]


def number(container: Any, name: str, where: str) -> float:
    value = member(container, name, where)
    if type(value) not in (int, float):
        raise Damaged(f"{where}.{name} is {_kind(value)}{f' ({shown(value, 20)!r})' if isinstance(value, str) else ''}, not a number")
    if abs(value) > _LARGEST_NUMBER:
        raise Damaged(f"{where}.{name} is {value:.3g}, which nothing here can be")
    return float(value)


def number_or_none(container: Any, name: str, where: str) -> float | None:
    if isinstance(container, dict) and container.get(name) is None:
        return None
    return number(container, name, where)


def integer(container: Any, name: str, where: str) -> int:
    value = member(container, name, where)
    if type(value) is not int:
        raise Damaged(f"{where}.{name} is {shown(value, 30) if type(value) is float else _kind(value)}, not a whole number")
    return value


def text(container: Any, name: str, where: str) -> str:
    value = member(container, name, where)
    if not isinstance(value, str):
        raise Damaged(f"{where}.{name} is {_kind(value)}, not a text")
    return value


def text_or_none(container: Any, name: str, where: str) -> str | None:
    return None if isinstance(container, dict) and container.get(name) is None else text(container, name, where)


def items(container: Any, name: str, where: str) -> list[Any]:
    value = member(container, name, where)
    if not isinstance(value, list):
        raise Damaged(f"{where}.{name} is {_kind(value)}, not a list")
    return value


def texts(container: Any, name: str, where: str) -> list[str]:
    values = items(container, name, where)
    if not all(isinstance(v, str) for v in values):
        raise Damaged(f"{where}.{name} holds something that is not a text")
    return values


@dataclass(frozen=True)
class JournalLine:
    """A line of a journal: its number in the file from 1, and its document, or why there is none."""

    number: int
    document: Any
    damage: str | None
    torn: bool = False


def journal(data: bytes, name: str) -> Iterator[JournalLine]:
    """The lines of trials.ndjson or events.ndjson. A line carries the SHA-256 of its document's bytes; a last line without its LF is torn."""
    lines = data.split(b"\n")
    torn = lines.pop()
    for index, line in enumerate(lines, 1):
        try:
            yield JournalLine(index, _line(line, f"{name} line {index}"), None)
        except Damaged as error:
            yield JournalLine(index, None, str(error))
    if torn:
        yield JournalLine(len(lines) + 1, None, f"{name} line {len(lines) + 1} has no end", torn=True)


def _line(line: bytes, what: str) -> Any:
    start = len(_LINE_HEAD) + 64
    if not (line.startswith(_LINE_HEAD) and line[start:start + len(_LINE_MIDDLE)] == _LINE_MIDDLE and line.endswith(b"}")):
        raise Damaged(f"{what} is not {{\"sha256\":…,\"document\":…}}")
    document = line[start + len(_LINE_MIDDLE):-1]
    if sha256(document).encode() != line[len(_LINE_HEAD):start]:
        raise Damaged(f"{what} is damaged: the SHA-256 of its document is another")
    return parse_json(document, what)


def seal_holds(data: bytes, stated: object) -> bool:
    """Whether a manifest's last member is the SHA-256 of all bytes before it."""
    end = data.rfind(_SEAL)
    return end >= 0 and sha256(data[:end]) == stated and re.fullmatch(rb',\n  "sha256": ?"[0-9a-f]{64}"\n\}\n?', data[end:]) is not None


def read_csv(data: bytes, what: str) -> list[dict[str, str]]:
    """RFC 4180 with a header line: a dictionary a line."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not UTF-8 (byte {error.start})") from None
    except csv.Error as error:
        raise Damaged(f"{what} is not CSV: {shown(error)}") from None
    if not rows:
        raise Damaged(f"{what} is empty")
    header = rows[0]
    if len(set(header)) != len(header):
        raise Damaged(f"{what} has two columns of one name")
    for index, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise Damaged(f"{what} line {index} has {len(row)} fields, its header {len(header)}")
    return [dict(zip(header, row)) for row in rows[1:]]


def parse_number(field: str) -> float | None:
    """A decimal number of a text file; None where the field is none."""
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", field, re.ASCII) is None or len(field) > 400:
        return None
    value = float(field)
    return value if math.isfinite(value) else None
