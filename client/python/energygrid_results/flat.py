"""A cell as one flat line: names in snake_case joined by `_`, as in `cells.csv`."""

from __future__ import annotations

import re
from typing import Any, Iterator

from .directory import Directory
from .matrix import Unknown
from .reading import parse_number, shown

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from leaves(child, path + (name,))
    else:
        yield path, value


def row(sweep: str | None, group: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    """A flat dictionary of a computed cell; figures that cannot be computed are None, lists are left out."""
    flat: dict[str, Any] = {"sweep": sweep, "group": group["name"]}
    for path, value in leaves(cell):
        if isinstance(value, list):
            continue
        flat[column(path)] = None if isinstance(value, (Unknown, dict)) else value
    return flat


def column(path: tuple[str, ...]) -> str:
    parts = [p for p in path if p != "value"] or list(path)
    if parts[0] == "ratio" and len(parts) > 1:
        parts = parts[1:] if parts[1] in ("ratio", "baseline") else ["ratio"] + parts[1:]
    elif parts[0] in ("phi", "configuration"):
        parts = parts[1:]
    return "_".join(snake(p) for p in parts)


def rows(sweep: str | None, computed: dict[str, Any]) -> list[dict[str, Any]]:
    """All cells, with the same columns each."""
    flats = [row(sweep, group, cell) for group in computed["groups"] for cell in group["rows"]]
    names = list(dict.fromkeys(name for flat in flats for name in flat))
    return [{name: flat.get(name) for name in names} for flat in flats]


def csv_differences(d: Directory) -> None:
    """cells.csv against matrix.json: a line a cell in the same order, each column the member of its name."""
    lines = d.cells or []
    groups = d.matrix.get("groups")
    cells = [(g, r) for g in (groups if isinstance(groups, list) else []) if isinstance(g, dict) and isinstance(g.get("rows"), list) for r in g["rows"] if isinstance(r, dict)]
    if len(lines) != len(cells):
        d.wrong("cells.csv", "", f"has {len(lines)} lines, matrix.json {len(cells)} cells")
        return
    nameless: dict[str, None] = {}
    known = {column(path) for _, cell in cells for path, _ in leaves(cell)}
    for i, (line, (group, cell)) in enumerate(zip(lines, cells), 2):
        members: dict[str, Any] = {"sweep": d.matrix.get("sweep"), "group": group.get("name"), "hardware": group.get("hardware")}
        for path, value in leaves(cell):
            members.setdefault(column(path), value)
        for name, field in line.items():
            at = f"line {i}.{shown(name, 60)}"
            if name not in members and name not in known:
                nameless[shown(name, 60)] = None
            elif not _same(field, None if d.format != 3 and members.get(name) == "NaN" else members.get(name)):
                d.wrong("cells.csv", at, "differs from matrix.json", _text(members.get(name)), shown(field))
            else:
                d.count("fields of cells.csv")
    if nameless:
        d.skip(f"cells.csv: {', '.join(nameless)}", "matrix.json has no member of these names")


def _text(value: Any) -> Any:
    return value if value is None or type(value) in (int, float, bool) else shown(value)


def _same(field: str, value: Any) -> bool:
    if value is None or value == []:
        return field == ""
    if isinstance(value, bool):
        return field == str(value).lower()
    if isinstance(value, (int, float)):
        return parse_number(field) == value
    if isinstance(value, list):
        return field.lstrip("'") == "; ".join(str(v) for v in value)
    if not isinstance(value, str):
        return False
    return field == value or field == "'" + value and value.startswith(_FORMULA)
