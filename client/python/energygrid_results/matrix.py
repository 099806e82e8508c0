"""From trials to the matrix: slopes, means, intervals, ratios, rates, times, the power constraint, phis, projections, panels, serving engines.

The result mirrors `matrix.json` with the members that can be computed. A number that is not there is None; one that cannot be computed from the files is `Unknown`, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Sequence

from .evidence import PROVENANCES, Leg, Trial
from .plan import Plan, PlannedCell, PlannedGroup
from .serving import LATENCIES, Latency
from .statistics import NestedMean, Observation, half_width, holm, in_order, nested_mean, p_value, spread_parts

ALPHA = 0.05
DEFAULT_OFFSET_WATTS = 10.0
DEFAULT_NON_LINEARITY = 0.01
GAIN = 0.05
LEFT_OUT = "the slope over L' is not positive"


@dataclass(frozen=True)
class Unknown:
    """A figure that the files do not suffice for."""

    reason: str


NO_COST = Unknown("what a layer costs is not in the files")
SOME_HAVE_NONE = Unknown("some trials have none, and docs/results.md does not say what that makes of the mean")


@dataclass(frozen=True)
class Device:
    """What the manifest says of a device. offset, non_linearity (W), alias, counter_residual: its qualification's; None where it has none.

    declared: its energy is computed from declared powers, and no sensor meters it.
    """

    bandwidth: float | None
    peak: float | None
    rated: float | None
    offset: float | None
    non_linearity: float | None
    alias: float | None
    counter_residual: float | None
    declared: bool


@dataclass(frozen=True)
class Cost:
    """Of one layer and step: parameters, B, FLOP."""

    parameters: float
    weight_bytes: float
    state_bytes: float
    weight_flops: float
    attention_flops: float

    @property
    def bytes(self) -> float:
        return self.weight_bytes + self.state_bytes

    @property
    def flops(self) -> float:
        return self.weight_flops + self.attention_flops


@dataclass(frozen=True)
class Inputs:
    """All that figures follow from. void: (group, block, pass); costs: by (group, label); pue: facility over node input, where its category is 3."""

    plan: Plan
    trials: tuple[Trial, ...]
    void: frozenset[tuple[str, int, int]]
    devices: dict[str, Device]
    costs: dict[tuple[str, str], Cost]
    pue: float | None | Unknown

    def first_stage(self, group: str) -> int:
        """n0 of a match group: how many passes tell the scatter where passes are the units."""
        ran = {(t.host, t.device_group) for t in self.trials if t.group == group and (t.group, t.block, t.pass_number) not in self.void}
        least, most = self.plan.passes
        return min(max(5, least), most) if len(ran) <= 1 else least


# One trial

@dataclass(frozen=True)
class Point:
    """Per step at one L': J at the boundary, s."""

    layers: int
    joules: float
    seconds: float


@dataclass(frozen=True)
class Slope:
    """A trial at one boundary: a (J), b (s) per step and layer; e (J) per token and layer; r in tokens·layers/s and device."""

    trial: Trial
    points: tuple[Point, ...]
    a: float
    b: float
    intercept: float | None
    batch: int

    @property
    def positive(self) -> bool:
        return self.a > 0 and self.b > 0

    @property
    def e(self) -> float:
        return self.a / self.batch

    @property
    def r(self) -> float:
        return self.batch / self.b

    @property
    def time(self) -> float:
        """s per token and layer of a device; of a serving engine, s per token of its whole device group."""
        if self.trial.served is not None:
            return self.long.seconds / len(self.trial.devices)
        return self.b / self.batch

    @property
    def long(self) -> Point:
        return self.points[-1]

    @property
    def long_leg(self) -> Leg:
        return max(self.trial.legs, key=lambda leg: leg.layers)

    def departure(self) -> tuple[int, float] | None:
        """(L', J/line − 1) of the middle point."""
        if len(self.points) < 3:
            return None
        middle, short = self.points[len(self.points) // 2], self.points[0]
        return middle.layers, middle.joules / (short.joules + self.a * (middle.layers - short.layers)) - 1

    def sensitivities(self, boundary: str, rated: float | None) -> tuple[float, float]:
        """Of ln e to one sensor's offset and non-linearity, each 1/W. At the node one meter sees all copies: a step of all of them takes a share of the window."""
        copies = len(self.trial.devices) if boundary == "node" else 1

        def seconds(point: Point) -> float:
            return point.seconds / copies

        def bow(point: Point) -> float:
            if not rated:
                return 0.0
            share = point.joules / seconds(point) / rated
            return 4 * share * (1 - share) * seconds(point)

        short, long = self.points[0], self.long
        if len(self.points) == 1:
            return seconds(long) / long.joules, bow(long) / long.joules
        joules = long.joules - short.joules
        return (seconds(long) - seconds(short)) / joules, (bow(long) - bow(short)) / joules


def leg_energy(leg: Leg, devices: int, boundary: str) -> tuple[float, float] | None:
    """(E, n): joules and the steps they cover, at the boundary; None where it was not metered or nothing was covered."""
    if boundary == "gpu":
        return (leg.gpu_joules, leg.steps * leg.gpu_coverage) if leg.gpu_covered > 0 and leg.steps > 0 else None
    if leg.node_joules is None or not leg.node_covered or leg.steps <= 0:
        return None
    n = leg.steps * leg.node_coverage
    if leg.same_cell_gpus == leg.node_gpus == devices:
        return leg.node_joules, n
    if leg.node_gpu_joules is None or leg.node_gpus <= 0 or leg.gpu_covered <= 0:
        return None
    shared = leg.node_joules - leg.node_gpu_joules * leg.node_coverage
    return leg.gpu_joules / leg.gpu_coverage * leg.node_coverage + shared * devices / leg.node_gpus, n


def slope(trial: Trial, batch: int, boundary: str, energy: Callable[[Leg, int], tuple[float, float] | None] | None = None) -> Slope | None:
    """The slope over the smallest and the largest L' > 0; None where a leg has no energy at the boundary."""
    devices = len(trial.devices)
    energy = energy or (lambda leg, d: leg_energy(leg, d, boundary))
    points = []
    for leg in sorted((x for x in trial.legs if x.layers > 0), key=lambda x: x.layers):
        found = energy(leg, devices)
        if found is None:
            return None
        points.append(Point(leg.layers, found[0] / found[1], leg.window * devices / leg.steps))
    if not points:
        return None
    short, long = points[0], points[-1]
    if len(points) == 1:
        return Slope(trial, tuple(points), long.joules / long.layers, long.seconds / long.layers, None, batch)
    layers = long.layers - short.layers
    a = (long.joules - short.joules) / layers
    return Slope(trial, tuple(points), a, (long.seconds - short.seconds) / layers, short.joules - a * short.layers, batch)


def net_value(trial: Trial, batch: int) -> float | None:
    """J per token and layer above idle with a context (gpu)."""
    idle = trial.idle_watts
    if idle is None:
        return None
    own = slope(trial, batch, "gpu", lambda leg, _: (leg.gpu_joules - idle * leg.gpu_covered, leg.steps * leg.gpu_coverage) if leg.gpu_covered > 0 and leg.steps > 0 else None)
    return None if own is None else own.e


def head_value(trial: Trial, batch: int, boundary: str) -> float | None:
    """J per token of the LM head: the leg with L' = 0."""
    for leg in trial.legs:
        if leg.layers == 0:
            found = leg_energy(leg, len(trial.devices), boundary)
            return None if found is None else found[0] / found[1] / batch
    return None


def is_capped(trial: Trial) -> bool | None:
    """Whether power capping took time in a leg with L' > 0; None where the device does not tell."""
    fractions = [leg.cap_fraction for leg in trial.legs if leg.layers > 0]
    return None if any(f is None for f in fractions) else any(f > 0 for f in fractions)


# Means and intervals

def _observation(trial: Trial, value: float) -> Observation:
    return Observation(trial.host, trial.device_group, trial.pass_number, value)


def _mean(first_stage: int, pairs: Iterable[tuple[Trial, float]]) -> NestedMean | None:
    observations = [_observation(t, v) for t, v in pairs]
    return nested_mean(observations, first_stage) if observations else None


def _log_mean(first_stage: int, slopes: Iterable[Slope], value: Callable[[Slope], float]) -> NestedMean | None:
    return _mean(first_stage, [(s.trial, math.log(value(s))) for s in slopes])


def _exp(x: float | None) -> float | None:
    try:
        return None if x is None else math.exp(x)
    except OverflowError:
        return None


def _estimate(value: float | None, low: float | None, high: float | None, scope: str, units: int) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "scope": scope, "units": units}


NO_ESTIMATE = _estimate(None, None, None, "none", 0)


def _log_estimate(mean: NestedMean | None, bound: float, alpha: float = ALPHA) -> dict[str, Any]:
    if mean is None:
        return dict(NO_ESTIMATE)
    h = None if mean.standard_error is None or not math.isfinite(bound) else half_width(mean.standard_error, mean.dof, alpha, bound)
    return _estimate(_exp(mean.value), _exp(None if h is None else mean.value - h), _exp(None if h is None else mean.value + h), mean.scope, mean.units)


def _student_estimate(mean: NestedMean) -> dict[str, Any]:
    h = mean.student(ALPHA)
    return _estimate(mean.value, None if h is None else mean.value - h, None if h is None else mean.value + h, mean.scope, mean.units)


@dataclass(frozen=True)
class Sensor:
    """Bounds of a group's sensors: W, W, W, share, share, share. counter: what is used, the cells' residual included. rated: None where no sensor metered."""

    offset: float
    non_linearity: float
    rated: float | None
    alias: float
    counter: float
    gain: float

    def corner(self, cell: tuple[float, float], baseline: tuple[float, float]) -> float:
        """The most that offset and non-linearity can move a device group's logarithm: a reading times 1 − x is the truth."""
        worst = 0.0
        for offset in (-self.offset, self.offset):
            for bow in (-self.non_linearity, self.non_linearity):
                mine, theirs = (1 - (offset * s[0] + bow * s[1]) for s in (cell, baseline))
                if mine <= 0 or theirs <= 0:
                    return math.inf
                worst = max(worst, abs(math.log(theirs / mine)))
        return worst

    def corrections(self, sensitivities: Sequence[tuple[tuple[float, float], tuple[float, float]]]) -> Iterable[list[float]]:
        """At each corner of offset and non-linearity, ln(truth / reading) of each pass: the cell's less the baseline's. -inf where nothing of a reading is left, NaN where of both."""
        def log(x: float) -> float:
            return math.log(x) if x > 0 else -math.inf

        for offset in (-self.offset, self.offset):
            for bow in (-self.non_linearity, self.non_linearity):
                yield [log(1 - (offset * cell[0] + bow * cell[1])) - log(1 - (offset * base[0] + bow * base[1])) for cell, base in sensitivities]

    def terms(self, groups: Sequence[tuple[str, str, tuple[float, float], tuple[float, float]]], absolute: bool) -> dict[str, float]:
        """Type B of a mean. groups: of each device group (node, name, the cell's sensitivities, the baseline's; 0 where there is none)."""
        def mean(value: Callable[[tuple[float, float], tuple[float, float]], float]) -> float:
            return nested_mean([Observation(node, name, 0, value(cell, baseline)) for node, name, cell, baseline in groups], 2).value

        root3, gain = math.sqrt(3), self.gain if absolute else 0.0
        parts = [mean(lambda c, b: self.offset * abs(c[0] - b[0])) / root3, mean(lambda c, b: self.non_linearity * abs(c[1] - b[1])) / root3, self.alias, self.counter, gain / root3]
        return {
            "offsetTerm": parts[0], "nonLinearityTerm": parts[1], "aliasTerm": parts[2], "counterTerm": parts[3], "gainTerm": parts[4],
            "typeB": math.sqrt(math.fsum(p * p for p in parts)),
            "bound": mean(self.corner) + root3 * math.hypot(self.alias, self.counter) - math.log(1 - gain),
        }


def _plain_mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


# One cell

class Cell:
    """A cell's trials and the slopes over them. used: at the cell's boundary, of the trials that figures rest on; unused: how many others there are, by what left each out."""

    def __init__(self, planned: PlannedCell, inputs: Inputs):
        self.planned, self.inputs, self.boundary = planned, inputs, planned.boundary
        mine = [t for t in inputs.trials if t.group == planned.group and t.label == planned.label]
        self.used: list[Slope] = []
        self.unused: dict[str, int] = {}
        mine.sort(key=lambda t: (t.host, t.device_group, t.pass_number))
        for trial in mine:
            found = self._slope(trial, self.boundary)
            if isinstance(found, Slope):
                self.used.append(found)
            else:
                self.unused[found] = self.unused.get(found, 0) + 1
        self.at = {b: [s for t in mine if isinstance(s := self._slope(t, b), Slope)] for b in ("gpu", "node")}
        self.first_stage = inputs.first_stage(planned.group)
        # One for all of the cell's trials; where they differ, that is told elsewhere.
        self.configuration = mine[0].configuration if mine else Unknown("no trial of the cell names it")
        # Of a serving engine it is of nothing.
        self.cost: Cost | Unknown | None = None if planned.serves else inputs.costs.get((planned.group, planned.label), NO_COST)

    def _slope(self, trial: Trial, boundary: str) -> Slope | str:
        """What figures rest on, or what leaves the trial out at the boundary."""
        if (trial.group, trial.block, trial.pass_number) in self.inputs.void:
            return "its pass was voided"
        if not trial.valid:
            return trial.reasons[0] if trial.reasons else trial.outcome
        layers = [leg for leg in trial.legs if leg.layers > 0]
        if not layers:
            return "no window was measured"
        found = slope(trial, self.planned.batch, boundary)
        if found is None:
            return f"energy at the {boundary} boundary was not measured"
        if boundary == "node" and min(leg.node_coverage for leg in layers) < self.inputs.plan.min_coverage:
            return "coverage of the node's meter is below the guard"
        return found if found.positive else LEFT_OUT

    def mean_residual(self) -> float | None:
        told = [leg.residual for s in self.used for leg in s.trial.legs if leg.layers > 0 and leg.residual is not None]
        return _plain_mean(told) if told else None

    def device_fact(self, name: str) -> float | None | Unknown:
        """A number that the manifest gives of each device that the cell ran on; it has to be the same for all."""
        keys = sorted({f"{s.trial.host}/{d}" for s in self.used for d in s.trial.devices})
        told = {getattr(self.inputs.devices[k], name) if k in self.inputs.devices else None for k in keys}
        if not keys:
            return None
        if None in told:
            return Unknown("the manifest does not give it for every device of the cell")
        return told.pop() if len(told) == 1 else Unknown("the devices of the cell differ in it, and how they are put together is not said")

    def worst_provenance(self) -> str | None:
        found = [p for s in self.used for p in _provenances(s.trial, self.boundary)]
        return max(found, key=PROVENANCES.index) if found else None


def _provenances(trial: Trial, boundary: str) -> list[str]:
    result = []
    for leg in trial.legs:
        if leg.layers <= 0:
            continue
        if boundary == "node":
            own = leg.node_provenance or "modelled"
            whole = leg.same_cell_gpus == leg.node_gpus == len(trial.devices)
            result.append(own if whole else max(own, "modelled", key=PROVENANCES.index))
        else:
            result.append(leg.gpu_provenance)
    return result


def _sensor(group: PlannedGroup, cells: list[Cell], inputs: Inputs) -> Sensor:
    keys = sorted({f"{s.trial.host}/{d}" for c in cells for s in c.used for d in s.trial.devices})
    devices = [inputs.devices[k] for k in keys if k in inputs.devices]
    if devices and all(d.declared for d in devices):
        return Sensor(0.0, 0.0, None, 0.0, 0.0, 0.0)
    rated = max((d.rated for d in devices if d.rated is not None), default=None)
    offsets = [DEFAULT_OFFSET_WATTS if d.offset is None else d.offset for d in devices]
    bows = [DEFAULT_NON_LINEARITY * (d.rated or 0.0) if d.non_linearity is None else d.non_linearity for d in devices]
    residuals = [r for r in (c.mean_residual() for c in cells) if r is not None]
    seen = math.sqrt(_plain_mean([r * r for r in residuals])) if residuals else 0.0
    return Sensor(
        max(offsets, default=DEFAULT_OFFSET_WATTS), max(bows, default=0.0), rated, max((d.alias or 0.0 for d in devices), default=0.0),
        max([d.counter_residual or 0.0 for d in devices] + [seen]), GAIN)


def _terms(cell: Sequence[Slope], baseline: Sequence[Slope], sensor: Sensor, boundary: str, absolute: bool) -> dict[str, float] | None:
    """Type B over the device groups of slopes; baseline: paired with them, or empty."""
    if not cell:
        return None
    by_group: dict[tuple[str, str], tuple[list, list]] = {}
    for mine, theirs in zip(cell, baseline or [None] * len(cell)):
        lists = by_group.setdefault((mine.trial.host, mine.trial.device_group), ([], []))
        lists[0].append(mine.sensitivities(boundary, sensor.rated))
        lists[1].append((0.0, 0.0) if theirs is None else theirs.sensitivities(boundary, sensor.rated))

    def mean(pairs: list[tuple[float, float]]) -> tuple[float, float]:
        return _plain_mean([p[0] for p in pairs]), _plain_mean([p[1] for p in pairs])

    return sensor.terms([(node, name, mean(mine), mean(theirs)) for (node, name), (mine, theirs) in by_group.items()], absolute)


def _widest(first_stage: int, read: NestedMean | None, pairs: Sequence[tuple[Slope, float, Slope | None]], sensor: Sensor, boundary: str) -> NestedMean | None:
    """The mean as read, with the scatter of the corner of the sensor's bounds (or of the readings) where it is largest. pairs: the cell's slope, the value as read, the baseline's slope."""
    if read is None or read.standard_error is None or (sensor.offset == 0 and sensor.non_linearity == 0):
        return read
    sensitivities = [(mine.sensitivities(boundary, sensor.rated), theirs.sensitivities(boundary, sensor.rated) if theirs else (0.0, 0.0)) for mine, _, theirs in pairs]
    widest = read
    for corrections in sensor.corrections(sensitivities):
        if not all(math.isfinite(c) for c in corrections):
            return read
        at = _mean(first_stage, [(mine.trial, value + correction) for (mine, value, _), correction in zip(pairs, corrections)])
        if at.standard_error > widest.standard_error:
            widest = at
    return NestedMean(read.value, read.scope, read.units, widest.standard_error, widest.dof)


def _uncertainty(mean: NestedMean | None, terms: dict[str, float] | None) -> dict[str, Any]:
    none = dict.fromkeys(("offsetTerm", "nonLinearityTerm", "aliasTerm", "counterTerm", "gainTerm", "typeB", "bound"))
    return {"standardError": mean.standard_error if mean else None, "degreesOfFreedom": mean.dof if mean else 0, **(terms or none)}


# Ratios

@dataclass
class Ratio:
    """A cell against its baseline: the log ratio's mean, its type B terms, and what is filled in when the whole family is known.

    read: with the scatter of the readings; mean: the same value, with the scatter at the worst corner; time: of the times per token.
    """

    cell: Cell
    baseline: Cell
    read: NestedMean | None
    mean: NestedMean | None
    time: NestedMean | None
    terms: dict[str, float] | None
    family: bool
    holm: float | None = None

    @property
    def p(self) -> float | None:
        if self.mean is None or self.mean.standard_error is None or not math.isfinite(self.terms["bound"]):
            return None
        return p_value(self.mean.value, self.mean.standard_error, self.mean.dof, self.terms["bound"])

    def half_width95(self) -> float | None:
        return None if self.read is None else self.read.student(ALPHA)


def _pairs(cell: Cell, baseline: Cell) -> list[tuple[Slope, Slope]]:
    other = {(s.trial.device_group, s.trial.block, s.trial.pass_number): s for s in baseline.used}
    return [(s, other[k]) for s in cell.used if (k := (s.trial.device_group, s.trial.block, s.trial.pass_number)) in other]


def _ratio(cell: Cell, baseline: Cell, sensor: Sensor, inputs: Inputs) -> Ratio:
    pairs = _pairs(cell, baseline)
    values = [(s, math.log(s.e) - math.log(o.e), o) for s, o in pairs]
    read = _mean(cell.first_stage, [(s.trial, v) for s, v, _ in values])
    terms = _terms([s for s, _ in pairs], [o for _, o in pairs], sensor, cell.boundary, absolute=False)
    time = _mean(cell.first_stage, [(s.trial, math.log(s.time) - math.log(o.time)) for s, o in pairs])
    return Ratio(cell, baseline, read, _widest(cell.first_stage, read, values, sensor, cell.boundary), time, terms, family=cell.planned.twin_of is None)


# The matrix

def build(inputs: Inputs) -> dict[str, Any]:
    plan = inputs.plan
    groups = []
    for group in plan.groups:
        cells = {c.label: Cell(c, inputs) for c in group.cells}
        sensor = _sensor(group, list(cells.values()), inputs)
        groups.append((group, cells, sensor))
    ratios: dict[tuple[str, str], Ratio] = {}
    for group, cells, sensor in groups:
        if group.baseline in cells:
            for label, cell in cells.items():
                if label != group.baseline:
                    ratios[(group.name, label)] = _ratio(cell, cells[group.baseline], sensor, inputs)
    family = [r for r in ratios.values() if r.family and r.p is not None]
    for ratio, adjusted in zip(family, holm([r.p for r in family])):
        ratio.holm = adjusted
    repeatability = {group.name: test for group, cells, sensor in groups if (test := _repeatability(group, cells, sensor, inputs)) is not None}
    resolutions = {name: part for name, test in repeatability.items() if (part := _resolution_part(test)) is not None}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for group, cells, sensor in groups:
        for label, cell in cells.items():
            rows[(group.name, label)] = _row(cell, sensor, cells, group)
    for (name, label), ratio in ratios.items():
        source = name if name in resolutions else next(iter(resolutions), None)
        if ratio.mean is None:
            # No pass in which both are valid.
            continue
        baseline = rows[(name, ratio.baseline.planned.label)]
        rows[(name, label)]["ratio"] = _ratio_row(ratio, len(family), resolutions.get(source), source, rows[(name, label)], baseline)
    provenances = [r["provenance"] for r in rows.values() if r["provenance"] is not None]
    return {
        "plan": plan.name,
        "provenance": max(provenances, key=PROVENANCES.index) if provenances else None,
        "ranOn": _ran_on(inputs),
        "family": len(family),
        "groups": [{
            "name": group.name,
            "baseline": group.baseline,
            "sensor": {"offsetWatts": sensor.offset, "nonLinearityWatts": sensor.non_linearity, "ratedWatts": sensor.rated, "alias": sensor.alias,
                       "counterResidual": sensor.counter, "gain": sensor.gain},
            "rows": [rows[(group.name, label)] for label in cells],
            "repeatability": repeatability.get(group.name),
            "voidedPasses": sum(1 for v in inputs.void if v[0] == group.name),
        } for group, cells, sensor in groups],
        "panels": [_panel(panel, rows) for panel in plan.panels],
    }


def _ran_on(inputs: Inputs) -> dict[str, Any]:
    trials = [t for t in inputs.trials if t.valid]
    return {
        "devices": len({(t.host, d) for t in trials for d in t.devices}),
        "nodes": len({t.host for t in trials}),
        "racks": len({(t.site, t.rack) for t in trials}),
        "models": sorted({t.model for t in trials}),
        "drivers": sorted({t.driver for t in trials}),
        "powerLimitsWatts": sorted({t.power_limit for t in trials if t.power_limit is not None}),
        "devicesDisclosed": inputs.plan.devices,
    }


def _repeatability(group: PlannedGroup, cells: dict[str, Cell], sensor: Sensor, inputs: Inputs) -> dict[str, Any] | None:
    twin = next((c for c in cells.values() if c.planned.twin_of is not None), None)
    if twin is None:
        return None
    ratio = _ratio(twin, cells[twin.planned.twin_of], sensor, inputs)
    narrow = None if ratio.read is None else ratio.read.student(0.1)
    wide = ratio.half_width95()
    delta = inputs.plan.delta
    return {
        "label": twin.planned.twin_of,
        "twin": twin.planned.label,
        "ratio": dict(NO_ESTIMATE) if ratio.read is None else _estimate(
            _exp(ratio.read.value), _exp(None if narrow is None else ratio.read.value - narrow), _exp(None if narrow is None else ratio.read.value + narrow),
            ratio.read.scope, ratio.read.units),
        "delta": delta,
        "passed": None if narrow is None else -delta <= ratio.read.value - narrow and ratio.read.value + narrow <= delta,
        "halfWidth95": wide,
    }


def _resolution_part(test: dict[str, Any]) -> float | None:
    """What an A/A test adds to a resolution: its half-width, and where it did not pass, how far the twin is off."""
    half_width95, value = test["halfWidth95"], test["ratio"]["value"]
    if half_width95 is None or test["passed"] is True:
        return half_width95
    return abs(math.log(value)) + half_width95 if value else None


def _ratio_row(ratio: Ratio, family: int, repeatability: float | None, source: str | None, row: dict[str, Any], baseline: dict[str, Any]) -> dict[str, Any]:
    estimate = _log_estimate(ratio.mean, ratio.terms["bound"] if ratio.terms else 0.0)
    joint = _log_estimate(ratio.mean, ratio.terms["bound"], ALPHA / family) if ratio.family and ratio.p is not None else NO_ESTIMATE
    resolution = None if repeatability is None or ratio.terms is None else max(repeatability, 2 * ratio.terms["typeB"])
    if row["provenance"] != "measured" or baseline["provenance"] != "measured":
        standing = "notMeasured"
    elif row["meetsService"] is False or baseline["meetsService"] is False:
        standing = "outsideOperatingPoint"
    elif (resolution is not None and ratio.holm is not None and abs(ratio.mean.value) > resolution and ratio.holm <= ALPHA
          and LEFT_OUT not in ratio.cell.unused and LEFT_OUT not in ratio.baseline.unused):
        standing = "resolved"
    else:
        standing = "notResolved"
    above, below = row["achievedOverFloor"], baseline["achievedOverFloor"]
    return {
        "baseline": ratio.baseline.planned.label,
        "ratio": estimate,
        "timeRatio": _log_estimate(ratio.time, 0.0),
        "simultaneousLow": joint["low"],
        "simultaneousHigh": joint["high"],
        "uncertainty": _uncertainty(ratio.mean, ratio.terms),
        "pValue": ratio.p,
        "holmPValue": ratio.holm,
        "resolution": resolution,
        "resolutionFrom": source,
        "standing": standing,
        "resolved": standing == "resolved",
        "achievedOverFloor": above if isinstance(above, Unknown) else below if isinstance(below, Unknown) else None if above is None or below is None else above / below,
    }


def _known(*values: Any) -> Unknown | None:
    return next((v for v in values if isinstance(v, Unknown)), None)


def _with(values: Sequence[Any], formula: Callable[..., float]) -> Any:
    """The formula of the values; Unknown if one is, None if one is not there."""
    unknown = _known(*values)
    if unknown is not None:
        return unknown
    return None if any(v is None for v in values) else formula(*values)


def _row(cell: Cell, sensor: Sensor, cells: dict[str, Cell], group: PlannedGroup) -> dict[str, Any]:
    planned, plan, inputs = cell.planned, cell.inputs.plan, cell.inputs
    used, first = cell.used, cell.first_stage
    batch, depth = planned.batch, planned.model_layers
    cost: Any = cell.cost
    energy = _widest(first, _log_mean(first, used, lambda s: s.e), [(s, math.log(s.e), None) for s in used], sensor, cell.boundary)
    terms = _terms(used, [], sensor, cell.boundary, absolute=True)
    estimate = _log_estimate(energy, terms["bound"] if terms else 0.0)
    rate_mean = _log_mean(first, used, lambda s: s.r)
    rate = _exp(rate_mean.value) if rate_mean else None
    flops_per_token = _tokens_cost(cell)
    bandwidth, peak = cell.device_fact("bandwidth"), cell.device_fact("peak")
    free = [s for s in used if is_capped(s.trial) is False]
    free_rate = _log_mean(first, free, lambda s: s.r)
    k_eff = _with([flops_per_token, _exp(free_rate.value) if free_rate else None], lambda c, r: c * r)
    net = _mean(first, [(s.trial, v) for s in used if (v := net_value(s.trial, batch)) is not None]) if cell.boundary == "gpu" else None
    intercepts = _mean(first, [(s.trial, s.intercept) for s in used if s.intercept is not None])
    heads = {b: _mean(first, [(s.trial, math.log(v)) for s in cell.at[b] if (v := head_value(s.trial, batch, b)) is not None and v > 0]) for b in ("gpu", "node")}
    head = {b: _exp(m.value) if m else None for b, m in heads.items()}
    projected = {}
    for boundary in ("gpu", "node"):
        mean = _log_mean(first, cell.at.get(boundary, []), lambda s: s.e)
        projected[boundary] = None if mean is None else _exp(mean.value) * depth + (head[boundary] or 0.0)
    projected["facility"] = _with([projected["node"], inputs.pue], lambda n, p: n * p)
    price = plan.price_per_kwh
    service_step = _with([rate], lambda r: 1000 * batch * depth / r)
    floor = _with([bandwidth, peak, cost], lambda w, p, c: max(c.bytes / w, c.flops / p))
    spread = spread_parts([_observation(s.trial, math.log(s.e)) for s in used]) if used else None
    tokens_per_second = _with([rate], lambda r: r / depth)
    decode = _with([tokens_per_second, bandwidth, cost], lambda q, w, c: q / (w / (2 * depth * c.weight_bytes)))
    base = cells.get(group.baseline) if group.baseline else None
    time = _log_estimate(_log_mean(first, used, lambda s: s.time), 0.0)
    row = {
        "label": planned.label,
        "twinOf": planned.twin_of,
        "configuration": planned.configuration,
        "configurationSha256": cell.configuration,
        "boundary": cell.boundary,
        "tokens": math.fsum(leg.steps * batch for s in used for leg in s.trial.legs if leg.layers > 0),
        "joulesPerTokenLayer": estimate,
        "uncertainty": _uncertainty(energy, terms),
        "secondsPerTokenLayer": time,
        "netJoulesPerTokenLayer": None if net is None else _student_estimate(net),
        "interceptJoulesPerStep": intercepts.value if intercepts else None,
        "linearity": _linearity(used, first),
        "headJoulesPerToken": {"value": head["gpu"]},
        "projectedJoulesPerToken": {b: {"value": v} for b, v in projected.items()},
        "ratio": None,
        "passes": len({(s.trial.device_group, s.trial.block, s.trial.pass_number) for s in used}),
        "devices": len({(s.trial.host, d) for s in used for d in s.trial.devices}),
        "nodes": len({s.trial.host for s in used}),
        "spread": {"pass": spread.passes if spread else None, "device": spread.device if spread else None, "node": spread.node if spread else None,
                   "deviceAndNode": spread.device_and_node if spread else None},
        "invalidations": dict(cell.unused),
        "kEffRealized": k_eff,
        "kEffPeak": peak,
        "flopsPerTokenLayer": flops_per_token,
        "tokenLayersPerSecond": rate,
        "wattsPerDevice": _with([estimate["value"], rate], lambda e, r: e * r),
        "achievedOverFloor": _with([rate, floor], lambda r, f: batch / r / f),
        "constraint": _constraint(cell, terms["bound"] if terms else 0.0, k_eff, peak, flops_per_token),
        "phi": {
            "phi_mem": {"value": _with([_plain_mean([s.long.seconds for s in used]) if used else None, bandwidth, cost],
                                       lambda t, w, c: used[0].long.layers * c.bytes / (t * w))},
            "phi_mem_paper": {"value": decode},
            "phi_decode": {"value": decode},
            "phi_comp": {"value": _with([flops_per_token, base and _tokens_cost(base)], lambda c, b: b / c)},
            "phi_system": {"value": _phi_system(cell, cells)},
        },
        "projectedTokensPerSecond": tokens_per_second,
        "projectedStepMilliseconds": service_step,
        "serviceMilliseconds": planned.service_milliseconds,
        "serviceStatistic": planned.service_statistic,
        "meetsService": service_step <= planned.service_milliseconds if planned.service_statistic == "mean" and service_step is not None else None,
        "pueAdjustedJoulesPerToken": {"value": projected["facility"]},
        "costPerMillionTokens": _with([price, projected["facility"]], lambda p, f: (p * f / 3.6e6 + plan.kappa) * 1e6),
        "currency": plan.currency if price is not None else None,
        "coverage": min((c for s in used for c in _coverages(s.trial, cell.boundary)), default=None),
        "meanWatts": _plain_mean([_mean_watts(s.trial) for s in used]) if used else None,
        "powerCapFraction": _cap_share(used),
        "provenance": cell.worst_provenance(),
        "serving": None,
    }
    return _serving_row(cell, row) if planned.serves else row


# Serving engines

def _serving_row(cell: Cell, row: dict[str, Any]) -> dict[str, Any]:
    """The row of a decode step that is one layer of a batch of one, as that of a serving engine: its headline and times stand in `serving`."""
    planned = cell.planned
    serving = _serving(cell, row["joulesPerTokenLayer"], row["secondsPerTokenLayer"], row["netJoulesPerTokenLayer"])
    none = {"value": None, "low": None, "high": None}
    return {**row, "joulesPerTokenLayer": none, "secondsPerTokenLayer": None, "netJoulesPerTokenLayer": None, "serving": serving,
            "meetsService": _meets(((serving["serviceMilliseconds"], planned.service_milliseconds), (serving["firstTokenMilliseconds"], planned.service_first_token)))}


def _meets(held: Iterable[tuple[float | None, float | None]]) -> bool | None:
    """Of (what was seen, its limit); None where nothing was seen of something that has a limit."""
    met = [None if seen is None else seen <= limit for seen, limit in held if limit is not None]
    return False if False in met else None if None in met else True


def _serving(cell: Cell, energy: dict[str, Any], time: dict[str, Any], net: dict[str, Any] | None) -> dict[str, Any]:
    """`serving` of a row. Counts are of our own where the requests are there; percentiles are a trial's own, which are held against the requests elsewhere."""
    first, used = cell.first_stage, cell.used
    trials = [(s, s.long_leg, s.trial.counted or s.trial.served, s.trial.served) for s in used if s.trial.served is not None]

    def mean(values: list[tuple[Slope, float | None]], logarithms: bool = False) -> Any:
        known = [(s.trial, v) for s, v in values if v is not None and not (logarithms and v <= 0)]
        if not known:
            return None
        if len(known) < len(values):
            return SOME_HAVE_NONE
        found = _mean(first, [(t, math.log(v) if logarithms else v) for t, v in known]).value
        return _exp(found) if logarithms else found

    def geometric(values: list[tuple[Slope, float | None]]) -> Any:
        return mean(values, logarithms=True)

    def over(above: float | None, below: float | None) -> float | None:
        return None if above is None or below is None or below == 0 else above / below

    def total(values: list[float | None]) -> Any:
        return None if any(v is None for v in values) else math.fsum(values)

    latencies = {name: _together(first, [(s, told.latencies[name]) for s, _, _, told in trials]) for name in LATENCIES}
    service = {name: latencies[name].get(f"{cell.planned.service_statistic}Milliseconds") for name in ("perToken", "firstToken")}
    return {
        "joulesPerToken": energy,
        "secondsPerToken": time,
        "netJoulesPerToken": net,
        "joulesPerTotalToken": geometric([(s, None if c.prompt_tokens is None else s.e * leg.steps / (leg.steps + c.prompt_tokens)) for s, leg, c, _ in trials]),
        "joulesPerRequest": geometric([(s, over(s.e * leg.steps, c.ended_requests)) for s, leg, c, _ in trials]),
        "outputTokensPerSecond": geometric([(s, leg.steps / leg.window) for s, leg, _, _ in trials]),
        "requestsPerSecond": geometric([(s, c.ended_requests / leg.window) for s, leg, c, _ in trials]),
        "latencies": latencies,
        "goodRequestsPerSecond": {"value": mean([(s, over(c.good_requests, leg.window)) for s, leg, c, _ in trials])},
        "goodRequestsPerJoule": {"value": mean([(s, over(c.good_requests, s.e * leg.steps)) for s, leg, c, _ in trials])},
        "cachedShare": over(total([c.cached_tokens for _, _, c, _ in trials]), total([c.prompt_tokens for _, _, c, _ in trials])),
        "sent": sum(c.account.sent for _, _, c, _ in trials),
        "failed": sum(c.account.failed for _, _, c, _ in trials),
        "meanRunning": mean([(s, told.told.running) for s, _, _, told in trials]),
        "meanWaiting": mean([(s, told.told.waiting) for s, _, _, told in trials]),
        "kvUse": mean([(s, told.told.kv_use) for s, _, _, told in trials]),
        "addedMilliseconds": max((t.told.added for _, _, _, t in trials if t.told.added is not None), default=None),
        "latenessMilliseconds": max((t.lateness for _, _, _, t in trials if t.lateness is not None), default=None),
        "serviceMilliseconds": service["perToken"],
        "firstTokenMilliseconds": service["firstToken"],
        "versions": list(dict.fromkeys(t.told.version for _, _, _, t in trials)),
        "modelSha256": list(dict.fromkeys(t.told.model_sha256 for _, _, _, t in trials)),
    }


def _together(first_stage: int, lines: list[tuple[Slope, Latency]]) -> dict[str, Any]:
    """A latency over trials: counts are sums, the largest is the largest of any, the others means over the trials that have one."""
    def mean(statistic: str) -> float | None:
        found = _mean(first_stage, [(s.trial, v) for s, line in lines if (v := getattr(line, statistic)) is not None])
        return None if found is None else found.value

    return {"count": sum(line.count for _, line in lines), **{f"{name}Milliseconds": mean(name) for name in ("mean", "p50", "p90", "p99")},
            "mostMilliseconds": max((line.most for _, line in lines if line.most is not None), default=None)}


def _tokens_cost(cell: Cell) -> Any:
    """c_tok, FLOP per token and layer."""
    return _with([cell.cost], lambda c: c.flops / cell.planned.batch)


def _coverages(trial: Trial, boundary: str) -> list[float]:
    return [leg.node_coverage if boundary == "node" else leg.gpu_coverage for leg in trial.legs if leg.layers > 0]


def _mean_watts(trial: Trial) -> float:
    legs = [leg for leg in trial.legs if leg.layers > 0]
    return math.fsum(leg.gpu_joules for leg in legs) / math.fsum(leg.gpu_covered for leg in legs) / len(trial.devices)


def _cap_share(used: Sequence[Slope]) -> float | None:
    shares = [leg.cap_fraction for s in used for leg in s.trial.legs if leg.layers > 0]
    return None if not shares or any(f is None for f in shares) else max(shares)


def _linearity(used: Sequence[Slope], first: int) -> dict[str, Any] | None:
    seen = [(s.trial, d) for s in used if (d := s.departure()) is not None]
    mean = _mean(first, [(t, d[1]) for t, d in seen])
    if mean is None:
        return None
    estimate = _student_estimate(mean)
    return {"departure": estimate, "layers": seen[0][1][0], "straight": None if estimate["low"] is None else estimate["low"] <= 0 <= estimate["high"]}


def _phi_system(cell: Cell, cells: dict[str, Cell]) -> Any:
    reference = next((c for c in cells.values() if c.planned.workload == "A" and c.planned.weights == "FP16" and c.planned.twin_of is None), None)
    if reference is None or cell.cost is None:
        return None
    if isinstance(cell.cost, Unknown) or isinstance(reference.cost, Unknown):
        return NO_COST
    if abs(cell.cost.parameters * cell.planned.model_layers / (reference.cost.parameters * reference.planned.model_layers) - 1) > 1e-3:
        return None
    mine, other = (_log_mean(c.first_stage, c.used, lambda s: s.e) for c in (cell, reference))
    return None if mine is None or other is None else _exp(other.value) * reference.planned.model_layers / (_exp(mine.value) * cell.planned.model_layers)


def _constraint(cell: Cell, bound: float, k_eff: Any, peak: Any, flops_per_token: Any) -> dict[str, Any]:
    """(3) against the plan's envelope, at the envelope's boundary."""
    plan = cell.inputs.plan
    envelope = plan.envelope
    if envelope is None:
        none = dict.fromkeys(("budgetWatts", "drawnWatts", "rho", "rhoStar", "headroom", "headroomPeak", "breakEvenWatts", "breakEvenWattsPeak"))
        return {"boundary": cell.boundary, "devices": 0, **none}
    boundary, budget = envelope.boundary, envelope.watts / envelope.devices
    if boundary == "facility":
        boundary = "node"
        budget = _with([budget, cell.inputs.pue], lambda b, p: b / p)
    slopes = cell.at.get(boundary, [])
    chosen = [s for s in slopes if is_capped(s.trial) is False] or slopes
    drawn_mean = _log_mean(cell.first_stage, chosen, lambda s: s.a / s.b)
    energy = _log_mean(cell.first_stage, chosen, lambda s: s.e)
    drawn = _exp(drawn_mean.value) if drawn_mean else None
    headroom: Any = None
    if drawn_mean is not None and budget is not None:
        if isinstance(budget, Unknown):
            headroom = budget
        else:
            mirrored = NestedMean(math.log(budget) - drawn_mean.value, drawn_mean.scope, drawn_mean.units, drawn_mean.standard_error, drawn_mean.dof)
            headroom = _log_estimate(mirrored, bound)
    value = headroom["value"] if isinstance(headroom, dict) else headroom
    break_even = _with([drawn], lambda w: envelope.devices * w)
    return {
        "boundary": boundary,
        "devices": envelope.devices,
        "budgetWatts": budget,
        "drawnWatts": drawn,
        "rho": _with([budget, k_eff], lambda b, k: b / k),
        "rhoStar": _with([_exp(energy.value) if energy else None, flops_per_token], lambda e, c: e / c),
        "headroom": headroom,
        "headroomPeak": _with([value, k_eff, peak], lambda h, k, p: h * k / p),
        "breakEvenWatts": break_even,
        "breakEvenWattsPeak": _with([break_even, k_eff, peak], lambda w, k, p: w * p / k),
    }


def _panel(panel: Any, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    def joules(group: str, label: str) -> float | None:
        row = rows.get((group, label))
        return None if row is None else row["projectedJoulesPerToken"]["gpu"]["value"]

    reference = joules(*panel.baseline)
    return {"title": panel.title, "rows": [{
        "group": group, "label": label, "projectedJoulesPerToken": joules(group, label),
        "unmatchedRatio": _with([joules(group, label), reference], lambda j, r: j / r), "publishedJoulesPerToken": published if rows.get((group, label), {}).get("provenance") == "measured" else None,
    } for group, label, published in panel.cells]}
