"""`plan.resolved.yaml`: the little of YAML that is written there, and what the results need of it.

Block mappings and lists by indentation, flow mappings and lists on one line, texts in double quotes as in JSON, numbers, true, false, null. Comments are whole lines.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .reading import Damaged, integer, items, member, number, number_or_none, shown, text, text_or_none

_TOKEN = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"#]+')
_KEY = re.compile(r'([A-Za-z_][A-Za-z0-9_.-]*|"(?:[^"\\\x00-\x1f]|\\.)*"):(?: (.*))?\Z')
_DEEPEST = 20
# What a serving engine's client may add to a time, and how late it may send, where a plan says nothing, ms.
MOST_CLIENT_MILLISECONDS = 2.0
BOUNDARIES = ("gpu", "node", "rack", "facility")
SERVE = "serve"


def parse(data: bytes, what: str) -> Any:
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not UTF-8 (byte {error.start})") from None
    lines = []
    for n, line in enumerate(content.split("\n"), 1):
        body = line.rstrip()
        if body and not body.lstrip().startswith("#"):
            lines.append((n, len(body) - len(body.lstrip(" ")), body.lstrip(" ")))
    reader = _Block(lines, what)
    value = reader.block(0, 0)
    if reader.position != len(lines):
        raise reader.trouble("is indented in a way that is not written here")
    return value


class _Block:
    def __init__(self, lines: list[tuple[int, int, str]], what: str):
        self.lines, self.what, self.position = lines, what, 0

    def trouble(self, reason: str) -> Damaged:
        at = self.lines[min(self.position, len(self.lines) - 1)] if self.lines else (1, 0, "")
        return Damaged(f"{self.what} line {at[0]} {reason}: {shown(at[2], 60)}")

    def block(self, indent: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise self.trouble("is nested too deeply")
        if self.position < len(self.lines) and self.lines[self.position][2].startswith("- "):
            return self.sequence(indent, depth)
        return self.mapping(indent, depth)

    def mapping(self, indent: int, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while self.position < len(self.lines) and self.lines[self.position][1] == indent and not self.lines[self.position][2].startswith("- "):
            match = _KEY.match(self.lines[self.position][2])
            if match is None:
                raise self.trouble("is not 'key: value'")
            key, rest = match.groups()
            key = self.name(key)
            if key in result:
                raise self.trouble(f"names {key} a second time")
            if rest:
                result[key] = self.flow(rest)
                self.position += 1
            else:
                self.position += 1
                deeper = self.position < len(self.lines) and self.lines[self.position][1] > indent
                result[key] = self.block(self.lines[self.position][1], depth + 1) if deeper else None
        return result

    def sequence(self, indent: int, depth: int) -> list[Any]:
        result = []
        while self.position < len(self.lines) and self.lines[self.position][1] == indent and self.lines[self.position][2].startswith("- "):
            n, _, body = self.lines[self.position]
            rest = body[2:].lstrip(" ")
            if _KEY.match(rest):
                # The item's first member stands behind the dash, the others below it.
                self.lines[self.position] = (n, indent + len(body) - len(rest), rest)
                result.append(self.block(indent + len(body) - len(rest), depth + 1))
            else:
                result.append(self.flow(rest))
                self.position += 1
        return result

    def flow(self, body: str) -> Any:
        tokens, end = [], 0
        for match in _TOKEN.finditer(body):
            if body[end:match.start()].strip():
                raise self.trouble("holds characters that are not written here")
            tokens.append(match.group())
            end = match.end()
        if body[end:].strip() and not body[end:].lstrip().startswith("#"):
            raise self.trouble("holds characters that are not written here")
        value, after = self.flow_value(tokens, 0, 0)
        if after != len(tokens):
            raise self.trouble("goes on after its value")
        return value

    def flow_value(self, tokens: list[str], at: int, depth: int) -> tuple[Any, int]:
        if at >= len(tokens) or depth > _DEEPEST:
            raise self.trouble("ends too early")
        token = tokens[at]
        if token not in ("[", "{"):
            return self.scalar(token), at + 1
        closing, entries, at = {"[": "]", "{": "}"}[token], [], at + 1
        while True:
            if at < len(tokens) and tokens[at] == closing:
                at += 1
                break
            key = None
            if token == "{":
                if at + 1 >= len(tokens) or tokens[at + 1] != ":":
                    raise self.trouble("is not 'key: value'")
                key, at = self.name(tokens[at]), at + 2
            value, at = self.flow_value(tokens, at, depth + 1)
            entries.append((key, value))
            if at < len(tokens) and tokens[at] == ",":
                at += 1
            elif at >= len(tokens) or tokens[at] != closing:
                raise self.trouble("is not closed")
        if token == "[":
            return [v for _, v in entries], at
        if len({k for k, _ in entries}) != len(entries):
            raise self.trouble("names a key a second time")
        return dict(entries), at

    def name(self, token: str) -> str:
        """A key: names of an engine's parameters may stand in quotes."""
        return self.scalar(token) if token.startswith('"') else token

    def scalar(self, token: str) -> Any:
        if token in "]},:":
            raise self.trouble("has no value where one is needed")
        if token.startswith('"'):
            try:
                return json.loads(token)
            except ValueError:
                raise self.trouble("holds a text that is not one of JSON") from None
        if token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        if len(token) <= 40 and re.fullmatch(r"[-+]?\d+", token, re.ASCII):
            return int(token)
        if len(token) <= 40 and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", token, re.ASCII):
            value = float(token)
            if abs(value) < 1e300:
                return value
            raise self.trouble("holds a number that is too large")
        return token


@dataclass(frozen=True)
class PlannedCell:
    """A cell as the plan has it. boundary, service: its disclosure's, the plan's unless the cell overrides them.

    service_first_token: of a serving engine, ms; None where the plan has no such limit. configuration: what the plan says of it, by the names that `matrix.json` has.
    """

    group: str
    label: str
    twin_of: str | None
    workload: str
    weights: str
    batch: int
    model_layers: int
    boundary: str
    service_milliseconds: float
    service_statistic: str
    service_first_token: float | None
    configuration: dict[str, Any]

    @property
    def serves(self) -> bool:
        """Whether it is a serving engine: a whole model, which is one layer of a batch of one."""
        return self.workload == SERVE


@dataclass(frozen=True)
class PlannedGroup:
    name: str
    baseline: str | None
    cells: tuple[PlannedCell, ...]

    def cell(self, label: str) -> PlannedCell | None:
        return next((c for c in self.cells if c.label == label), None)


@dataclass(frozen=True)
class Panel:
    title: str
    baseline: tuple[str, str]
    cells: tuple[tuple[str, str, float | None], ...]


@dataclass(frozen=True)
class Envelope:
    watts: float
    boundary: str
    devices: int


@dataclass(frozen=True)
class Plan:
    """What the results need of a plan. delta: limit of the A/A test, in log. passes: min, max."""

    name: str
    groups: tuple[PlannedGroup, ...]
    panels: tuple[Panel, ...]
    aa: tuple[tuple[str, str], ...]
    delta: float
    passes: tuple[int, int]
    min_coverage: float
    most_client_milliseconds: float
    devices: int | None
    envelope: Envelope | None
    pue_source: str | None
    pue_value: float | None
    pue_category: int | None
    price_per_kwh: float | None
    kappa: float
    currency: str | None


def read(data: bytes, what: str = "plan.resolved.yaml") -> Plan:
    root = parse(data, what)
    service = member(member(root, "operating_point", what), "service", f"{what}: operating_point")
    written = root.get("aa")
    pairs = written if isinstance(written, list) else [] if written is None else [written]
    aa = {text(pair, "group", f"{what}: aa"): text(pair, "of", f"{what}: aa") for pair in pairs}
    groups = tuple(_group(g, f"{what}: groups[{i}]", service, root, aa) for i, g in enumerate(items(root, "groups", what)))
    passes = member(root, "passes", what)
    envelope, pue, cost = root.get("envelope"), root.get("pue"), root.get("cost")
    return Plan(
        name=text(root, "name", what),
        groups=groups,
        panels=tuple(_panel(p, f"{what}: panels[{i}]") for i, p in enumerate(items(root, "panels", what) if root.get("panels") is not None else [])),
        aa=tuple(aa.items()),
        delta=number(pairs[0], "delta", f"{what}: aa") if pairs else 0.01,
        passes=(integer(passes, "min", f"{what}: passes"), integer(passes, "max", f"{what}: passes")),
        min_coverage=number(member(root, "guards", what), "min_coverage", f"{what}: guards"),
        most_client_milliseconds=number_or_none(member(root, "guards", what), "max_client_ms", f"{what}: guards") or MOST_CLIENT_MILLISECONDS,
        devices=root["hardware"].get("devices") if isinstance(root.get("hardware"), dict) else None,
        envelope=None if envelope is None else Envelope(
            number(envelope, "watts", f"{what}: envelope"), _boundary(envelope, f"{what}: envelope"), _positive(envelope, "devices", f"{what}: envelope")),
        pue_source=None if pue is None else text_or_none(pue, "source", f"{what}: pue"),
        pue_value=None if pue is None else number_or_none(pue, "value", f"{what}: pue"),
        pue_category=None if pue is None else integer(pue, "category", f"{what}: pue"),
        price_per_kwh=None if cost is None else number(cost, "price_per_kwh", f"{what}: cost"),
        kappa=0.0 if cost is None else number_or_none(cost, "kappa", f"{what}: cost") or 0.0,
        currency=None if cost is None else text_or_none(cost, "currency", f"{what}: cost"),
    )


def _positive(container: Any, name: str, where: str) -> int:
    value = integer(container, name, where)
    if not 0 < value < 10**9:
        raise Damaged(f"{where}.{name} is {shown(value, 20)}")
    return value


def _boundary(container: Any, where: str) -> str:
    value = text(container, "boundary", where)
    if value not in BOUNDARIES:
        raise Damaged(f"{where}.boundary is '{shown(value, 30)}'")
    return value


def _service(container: Any) -> Any:
    """An override of s*, or None."""
    point = container.get("operating_point") if isinstance(container, dict) else None
    return point.get("service") if isinstance(point, dict) else None


def _group(group: Any, where: str, service: Any, root: Any, aa: dict[str, str]) -> PlannedGroup:
    name = text(group, "name", where)
    service, root = _service(group) or service, group if group.get("boundary") is not None else root
    cells = []
    for i, cell in enumerate(items(group, "cells", where)):
        at = f"{where}.cells[{i}]"
        own = _service(cell) or service
        workload = text(cell, "workload", at)
        serves = workload == SERVE
        cells.append(PlannedCell(
            group=name, label=text(cell, "label", at), twin_of=None, workload=workload, weights="" if serves else text(cell, "weights", at),
            batch=1 if serves else _positive(cell, "batch", at), model_layers=1 if serves else _positive(cell, "model_layers", at),
            boundary=_boundary(cell if cell.get("boundary") is not None else root, at),
            service_milliseconds=number(own, "milliseconds_per_token", f"{at}: service"), service_statistic=text(own, "statistic", f"{at}: service"),
            service_first_token=number_or_none(own, "first_token_milliseconds", f"{at}: service"),
            configuration=_served(cell, at) if serves else _configuration(cell, group)))
    if len({c.label for c in cells}) != len(cells):
        raise Damaged(f"{where} has two cells of one label")
    if name in aa:
        original = next((c for c in cells if c.label == aa[name]), None)
        if original is not None:
            cells.append(PlannedCell(**{**original.__dict__, "label": f"{original.label} (twin)", "twin_of": original.label}))
    return PlannedGroup(name, text_or_none(group, "baseline", where), tuple(cells))


_NAMES = {"workload": "workload", "weights": "weights", "batch": "batch", "context": "context", "d_model": "modelWidth", "heads": "heads", "kv_heads": "keyValueHeads",
          "d_ff": "feedForwardWidth", "model_layers": "modelLayers", "vocabulary": "vocabulary", "stack": "stack", "data_seed": "dataSeed", "data": "data"}


def _served(cell: dict[str, Any], where: str) -> dict[str, Any]:
    """A serving engine's: the members of a shape are 0."""
    engine = cell.get("engine")
    if engine is not None and not (isinstance(engine, dict) and all(isinstance(v, str) for v in engine.values())):
        raise Damaged(f"{where}.engine is not a map from names to texts")
    known = {name: cell[key] for key, name in (("stack", "stack"), ("data_seed", "dataSeed")) if isinstance(cell.get(key), (str, int))}
    shape = dict.fromkeys(("context", "modelWidth", "heads", "keyValueHeads", "feedForwardWidth", "vocabulary"), 0)
    return {"workload": SERVE, **shape, "batch": 1, "modelLayers": 1, "shortLayers": 1, "longLayers": 1, **known, "serve": {"model": text(cell, "model", where), "parameters": engine or {}}}


def _configuration(cell: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    known = {name: cell[key] for key, name in _NAMES.items() if isinstance(cell.get(key), (str, int))}
    layers = cell.get("layers") or group.get("layers")
    if isinstance(layers, list) and layers and all(type(x) is int for x in layers):
        known.update(shortLayers=layers[0], longLayers=layers[-1])
        if len(layers) == 3:
            known["middleLayers"] = layers[1]
    return known


def _panel(panel: Any, where: str) -> Panel:
    baseline = member(panel, "baseline", where)
    return Panel(
        text(panel, "title", where),
        (text(baseline, "group", where), text(baseline, "label", where)),
        tuple((text(c, "group", where), text(c, "label", where), number_or_none(c, "published_joules_per_token", where)) for c in items(panel, "cells", where)))
