"""From readings to what a trial says: edges, counter brackets, step marks and traces give a leg's energies, steps, residual and fractions.

Nothing here reads a leg's own figures, except where the readings for them are not in the files; those are named in `Leg.taken`.
"""

from __future__ import annotations

import bisect
import datetime
import math
import re
from dataclasses import dataclass, field
from typing import Any

from . import serving
from .reading import Damaged, integer, items, member, number, number_or_none, parse_number, shown, text, text_or_none, texts

ROLES = ("device", "neighbour", "node")
METHODS = ("counter", "power")
PHASES = ("waiting", "loading", "warm-up", "lead", "window", "idle", "cool-down", "after")
TRACE_HEADER = b"nanoseconds,source,watts,joules,phase"
PROVENANCES = ("measured", "declared", "modelled", "projected")


@dataclass(frozen=True)
class Bracket:
    """A quantity that was read before and after an instant, ns since originUtc."""

    before_ns: int
    before: float
    after_ns: int
    after: float

    def at(self, instant: int) -> float:
        if self.after_ns == self.before_ns:
            return self.before
        return self.before + (self.after - self.before) * (instant - self.before_ns) / (self.after_ns - self.before_ns)


@dataclass(frozen=True)
class Source:
    """What one device or meter showed over a window; joules, covered and wrapped are as stated. Brackets are raw; modulus: J at which the counter wraps, None where it does not."""

    name: str
    role: str
    method: str
    first: Bracket | None
    last: Bracket | None
    wrapped: float
    joules: float
    covered: float
    power_joules: float | None
    first_steps: Bracket | None
    last_steps: Bracket | None
    power_cap_seconds: float | None
    thermal_seconds: float | None
    span_seconds: float
    period: float | None
    modulus: float | None


@dataclass(frozen=True)
class Evidence:
    from_ns: int
    to_ns: int
    sources: tuple[Source, ...]

    @property
    def seconds(self) -> float:
        return (self.to_ns - self.from_ns) / 1e9

    def of(self, *roles: str) -> list[Source]:
        return [s for s in self.sources if s.role in roles]


@dataclass
class Readings:
    """One source's rows of a trace, in time: (ns, W) and (ns, J), each where it was told."""

    power: list[tuple[int, float]] = field(default_factory=list)
    counter: list[tuple[int, float]] = field(default_factory=list)
    last: int | None = None


@dataclass(frozen=True)
class SourceEnergy:
    """A source's energy of our own: J, s covered, J of integrated power. taken: what had to be taken as stated, because its readings are not kept."""

    source: Source
    joules: float
    covered: float
    power_joules: float | None
    taken: tuple[str, ...]


@dataclass(frozen=True)
class Leg:
    """One measured window. Energies in J, times in s; node values None without a meter; residual and fractions None where nobody tells."""

    layers: int
    window: float
    steps: float
    gpu_joules: float
    gpu_covered: float
    node_joules: float | None
    node_covered: float | None
    node_gpu_joules: float | None
    node_gpus: int
    same_cell_gpus: int
    residual: float | None
    cap_fraction: float | None
    thermal_fraction: float | None
    gpu_provenance: str
    node_provenance: str | None
    sources: tuple[SourceEnergy, ...]
    evidence: Evidence | None
    stated: dict[str, Any]

    @property
    def gpu_coverage(self) -> float:
        return self.gpu_covered / self.window

    @property
    def node_coverage(self) -> float:
        return (self.node_covered or 0.0) / self.window


@dataclass(frozen=True)
class Trial:
    """A committed trial. key: (group, label, block, pass). idle_watts: None where it was not measured.

    served: what a valid trial of a serving engine says of it; counted: the same of our own, None where its requests cannot be read.
    """

    sequence: int
    line: int
    sweep: str
    group: str
    label: str
    configuration: str
    block: int
    pass_number: int
    plan_sha256: str | None
    outcome: str
    reasons: tuple[str, ...]
    host: str
    devices: tuple[str, ...]
    model: str
    driver: str
    rack: str
    site: str
    power_limit: float | None
    origin: str | None
    legs: tuple[Leg, ...]
    idle_watts: float | None
    idle_sources: tuple[SourceEnergy, ...]
    idle: Evidence | None
    trace: str
    trace_sha256: str
    served: serving.Served | None
    counted: serving.Served | None
    stated: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.group, self.label, self.block, self.pass_number

    @property
    def device_group(self) -> str:
        return f"{self.host}/{'+'.join(self.devices)}"

    @property
    def name(self) -> str:
        return f"{self.group}.{self.label}.b{self.block}.p{self.pass_number}.{self.configuration[:8]}"

    @property
    def valid(self) -> bool:
        return self.outcome == "valid"


# Parsing

def _instant(container: Any, name: str, where: str) -> int:
    value = integer(container, name, where)
    if abs(value) > 1 << 62:
        raise Damaged(f"{where}.{name} is no instant: {shown(value, 30)}")
    return value


def _bracket(container: Any, name: str, where: str) -> Bracket | None:
    value = container.get(name)
    if value is None:
        return None
    at = f"{where}.{name}"
    bracket = Bracket(_instant(value, "beforeNanoseconds", at), number(value, "before", at), _instant(value, "afterNanoseconds", at), number(value, "after", at))
    if bracket.after_ns < bracket.before_ns:
        raise Damaged(f"{at} ends before it begins")
    return bracket


def _evidence(value: Any, where: str) -> Evidence:
    start, end = _instant(value, "fromNanoseconds", where), _instant(value, "toNanoseconds", where)
    if end <= start:
        raise Damaged(f"{where}: the second edge is not after the first")
    sources = []
    for i, s in enumerate(items(value, "sources", where)):
        at = f"{where}.sources[{i}]"
        role, method = text(s, "role", at), text(s, "method", at)
        if role not in ROLES:
            raise Damaged(f"{at}.role is '{shown(role, 30)}'")
        if method not in METHODS:
            raise Damaged(f"{at}.method is '{shown(method, 30)}'")
        sources.append(Source(
            text(s, "source", at), role, method, _bracket(s, "first", at), _bracket(s, "last", at), number_or_none(s, "wrappedJoules", at) or 0.0,
            number(s, "joules", at), number(s, "coveredSeconds", at), number_or_none(s, "powerJoules", at), _bracket(s, "firstSteps", at), _bracket(s, "lastSteps", at),
            number_or_none(s, "powerCapSeconds", at), number_or_none(s, "thermalSeconds", at), number_or_none(s, "slowdownSpanSeconds", at) or 0.0,
            number_or_none(s, "periodSeconds", at), number_or_none(s, "modulusJoules", at)))
        if sources[-1].modulus is not None and not sources[-1].modulus > 0:
            raise Damaged(f"{at}.modulusJoules is not above 0")
    names = [(s.name, s.role == "node") for s in sources]
    if len(set(names)) != len(names):
        raise Damaged(f"{where} names a source twice")
    return Evidence(start, end, tuple(sources))


def instant_ns(utc: str) -> int | None:
    """A date of RFC 3339 in ns, from any fixed zero; None where it is none."""
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:Z|([+-])(\d\d):(\d\d))", utc, re.ASCII)
    if parts is None:
        return None
    date, hours, minutes, seconds, fraction_digits, sign, zone_hours, zone_minutes = parts.groups()
    try:
        days = datetime.date.fromisoformat(date).toordinal()
    except ValueError:
        return None
    zone = 0 if sign is None else (int(zone_hours) * 60 + int(zone_minutes)) * (1 if sign == "+" else -1)
    whole = ((days * 24 + int(hours)) * 60 + int(minutes) - zone) * 60 + int(seconds)
    return whole * 10**9 + int((fraction_digits or "").ljust(9, "0")[:9])


def windows(document: Any) -> list[tuple[str, int, int]]:
    """(where, from, to) of the legs and the idle stretch of a trial of any outcome, ns since originUtc; what is no stretch is left out."""
    legs = document.get("legs")
    stretches = [(f"legs[{i}]", leg.get("evidence")) for i, leg in enumerate(legs if isinstance(legs, list) else []) if isinstance(leg, dict)] + [("idle", document.get("idle"))]
    found = []
    for where, stretch in stretches:
        if isinstance(stretch, dict):
            start, end = stretch.get("fromNanoseconds"), stretch.get("toNanoseconds")
            if type(start) is int and type(end) is int and -(1 << 62) <= start < end <= 1 << 62:
                found.append((where, start, end))
    return found


# Traces

def parse_trace(data: bytes, what: str) -> dict[str, Readings]:
    """The readings of a trace by source."""
    lines = data.split(b"\n")
    if not lines or lines[0].rstrip(b"\r") != TRACE_HEADER:
        raise Damaged(f"{what} does not begin with '{TRACE_HEADER.decode()}'")
    by_source: dict[str, Readings] = {}
    for n, line in enumerate(lines[1:], 2):
        if not line:
            if n != len(lines):
                raise Damaged(f"{what} line {n} is empty")
            continue
        try:
            fields = line.decode("utf-8").rstrip("\r").split(",")
        except UnicodeDecodeError:
            raise Damaged(f"{what} line {n} is not UTF-8") from None
        if len(fields) != 5 or fields[4] not in PHASES:
            raise Damaged(f"{what} line {n} is not a reading: {shown(','.join(fields), 60)}")
        instant, watts, joules = fields[0], _reading(fields[2]), _reading(fields[3])
        if not instant.removeprefix("-").isascii() or not instant.removeprefix("-").isdigit() or len(instant) > 19 or watts is None or joules is None:
            raise Damaged(f"{what} line {n} is not a reading: {shown(','.join(fields), 60)}")
        readings = by_source.setdefault(fields[1], Readings())
        at = int(instant)
        if readings.last is not None and at < readings.last:
            raise Damaged(f"{what} line {n} is earlier than the reading before it")
        readings.last = at
        if not math.isnan(watts):
            readings.power.append((at, watts))
        if not math.isnan(joules):
            readings.counter.append((at, joules))
    return by_source


def _reading(field_text: str) -> float | None:
    return math.nan if field_text in ("NaN", "") else parse_number(field_text)


def integral(readings: Readings, start: int, end: int, period: float) -> tuple[float, float]:
    """(J, s covered) of power over [start, end] by the trapezoid, cut at the edges; a span of more than three periods is uncovered."""
    points = readings.power
    first, stop = max(0, bisect.bisect_right(points, (start, math.inf)) - 1), bisect.bisect_left(points, (end, -math.inf)) + 1
    joules, covered = [], []
    for (t0, w0), (t1, w1) in zip(points[first:stop], points[first + 1:stop]):
        left, right = max(t0, start), min(t1, end)
        if right <= left or t1 - t0 > 3e9 * period:
            continue
        mean = w0 + (w1 - w0) / (t1 - t0) * ((left - t0) + (right - t0)) / 2
        covered.append((right - left) / 1e9)
        joules.append(mean * covered[-1])
    return math.fsum(joules), math.fsum(covered)


# Energies

def _unwrapped(bracket: Bracket, source: Source, where: str, wrong: list[str]) -> Bracket:
    """A counter's bracket as it would be if the counter had not wrapped within it."""
    if bracket.after >= bracket.before:
        return bracket
    if source.modulus is None:
        wrong.append(f"{where}: the counter falls from {bracket.before!r} to {bracket.after!r} J, and modulusJoules does not say that it wraps")
        return bracket
    return Bracket(bracket.before_ns, bracket.before, bracket.after_ns, bracket.after + source.modulus)


def _wrapped(source: Source, readings: Readings | None, where: str, wrong: list[str]) -> tuple[float, bool]:
    """(J that wraps between the readings first.before and last.before amount to, whether their number was taken as stated)."""
    stated, modulus = source.wrapped, source.modulus
    if readings is not None and readings.counter:
        told = readings.counter
        between = told[bisect.bisect_left(told, (source.first.before_ns, -math.inf)):bisect.bisect_right(told, (source.last.before_ns, math.inf))]
        falls = sum(1 for (_, a), (_, b) in zip(between, between[1:]) if b < a)
        if falls and modulus is None:
            wrong.append(f"{where}: the trace's counter falls {falls} times, and modulusJoules does not say that it wraps")
        ours = falls * (modulus or 0.0)
        if abs(ours - stated) > 1e-9 * max(abs(ours), abs(stated)):
            wrong.append(f"{where}.wrappedJoules: {stated!r} J, but the trace's counter falls {falls} times between the two edges' readings, which is {ours!r} J")
        return ours, False
    if modulus is None:
        if stated != 0:
            wrong.append(f"{where}.wrappedJoules: {stated!r} J, and modulusJoules does not say that the counter wraps")
    elif stated < 0 or abs(stated - round(stated / modulus) * modulus) > 1e-9 * stated:
        wrong.append(f"{where}.wrappedJoules: {stated!r} J is not a whole multiple of modulusJoules, {modulus!r} J")
    return stated, modulus is not None


def source_energy(source: Source, evidence: Evidence, readings: Readings | None, where: str, wrong: list[str]) -> SourceEnergy:
    """wrong: receives a sentence for each wrap of the counter that cannot be."""
    taken, power = [], source.power_joules
    whole = None
    if readings is not None and (source.method == "power" or power is not None):
        if source.period is None or source.period <= 0:
            raise Damaged(f"{where}.periodSeconds is not there, and its power is to be integrated")
        whole = integral(readings, evidence.from_ns, evidence.to_ns, source.period)
    if power is not None:
        if whole is None:
            taken.append("powerJoules")
        else:
            power = whole[0]
    if source.method == "power":
        if whole is None:
            return SourceEnergy(source, source.joules, source.covered, power, ("joules", "coveredSeconds", *taken))
        return SourceEnergy(source, whole[0], whole[1], power, tuple(taken))
    if source.modulus is not None and any(max(b.before, b.after) > source.modulus for b in (source.first, source.last) if b is not None):
        wrong.append(f"{where}: the counter reads more than modulusJoules, {source.modulus!r} J")
    if source.first is None or source.last is None:
        raise Damaged(f"{where}: a counter without its readings around the edges")
    for bracket, edge, name in ((source.first, evidence.from_ns, "first"), (source.last, evidence.to_ns, "last")):
        if not bracket.before_ns <= edge <= bracket.after_ns:
            raise Damaged(f"{where}.{name} does not lie around its edge")
    wrapped, as_stated = _wrapped(source, readings, where, wrong)
    if as_stated:
        taken.append("wrappedJoules")
    first, last = _unwrapped(source.first, source, f"{where}.first", wrong), _unwrapped(source.last, source, f"{where}.last", wrong)
    joules = last.at(evidence.to_ns) - first.at(evidence.from_ns) + wrapped
    return SourceEnergy(source, joules, evidence.seconds, power, tuple(taken))


def counter_differences(source: Source, evidence: Evidence, readings: Readings, where: str) -> list[str]:
    """Where a counter's brackets are not the trace's readings nearest around the edges."""
    wrong = []
    for bracket, edge, name in ((source.first, evidence.from_ns, "first"), (source.last, evidence.to_ns, "last")):
        if bracket is None:
            continue
        told = readings.counter
        for at, value in dict.fromkeys(((bracket.before_ns, bracket.before), (bracket.after_ns, bracket.after))):
            here = [j for t, j in told[bisect.bisect_left(told, (at, -math.inf)):bisect.bisect_right(told, (at, math.inf))]]
            if not here:
                wrong.append(f"{where}.{name}: the trace has no reading of {shown(source.name, 60)} at {at} ns")
            elif value not in here:
                wrong.append(f"{where}.{name}: {value!r} J at {at} ns, the trace shows {here[0]!r} J")
        between = [t for t, _ in told[bisect.bisect_right(told, (bracket.before_ns, math.inf)):bisect.bisect_left(told, (bracket.after_ns, -math.inf))]]
        if between:
            wrong.append(f"{where}.{name}: the trace has a reading nearer to the edge, at {between[0]} ns")
    return wrong


def fraction(seconds: float | None, span: float) -> float | None:
    if seconds is None or span <= 0:
        return None
    return min(1.0, max(0.0, seconds / span))


def _largest(values: list[float | None]) -> float | None:
    told = [v for v in values if v is not None]
    return max(told) if told else None


def _provenance(container: Any, where: str) -> str:
    value = text(container, "provenance", where)
    if value not in PROVENANCES:
        raise Damaged(f"{where}.provenance is '{shown(value, 30)}'")
    return value


def _node_stated(leg: Any, where: str) -> tuple[float, float, str] | None:
    node = leg.get("node")
    return None if node is None else (number(node, "joules", f"{where}.node"), number(node, "coveredSeconds", f"{where}.node"), _provenance(node, f"{where}.node"))


@dataclass
class Asked:
    """What the trial of a serving engine was asked. requests: its rows, None where they cannot be read; limits: of a good request, None where the plan's are not known.

    counted: what follows over the window of its leg, once that is known.
    """

    requests: list[serving.Request] | None
    limits: serving.Limits | None
    counted: serving.Served | None = None


def _steps(own: list[Source], evidence: Evidence, where: str) -> float:
    """Of all copies, from the marks around the edges."""
    steps = 0.0
    for s in own:
        if s.first_steps is None or s.last_steps is None:
            raise Damaged(f"{where}.evidence: step marks of {shown(s.name, 60)} do not span the window")
        for bracket, edge in ((s.first_steps, evidence.from_ns), (s.last_steps, evidence.to_ns)):
            if not bracket.before_ns <= edge <= bracket.after_ns:
                raise Damaged(f"{where}.evidence: step marks of {shown(s.name, 60)} do not lie around the edge")
        steps += s.last_steps.at(evidence.to_ns) - s.first_steps.at(evidence.from_ns)
    return steps


def _leg(value: Any, devices: tuple[str, ...], trace: dict[str, Readings] | None, where: str, differences: list[str], readings_kept: bool, asked: Asked | None) -> Leg:
    layers = integer(value, "layers", where)
    gpu = member(value, "gpu", where)
    provenance, node = _provenance(gpu, f"{where}.gpu"), _node_stated(value, where)
    node_gpus, same = integer(value, "nodeGpus", where), integer(value, "sameCellGpus", where)
    if not readings_kept:
        # Older formats keep no readings: what a leg says is all there is. A number that is not there was "NaN".
        def old(name: str) -> float | None:
            return None if value.get(name) == "NaN" else number_or_none(value, name, where)

        window = number(value, "windowSeconds", where)
        if not window > 0:
            raise Damaged(f"{where}.windowSeconds is not above 0")
        return Leg(layers, window, number(value, "steps", where), number(gpu, "joules", f"{where}.gpu"), number(gpu, "coveredSeconds", f"{where}.gpu"),
                   node[0] if node else None, node[1] if node else None, old("nodeGpuJoules"), node_gpus, same, old("counterResidual"), old("powerCapFraction"),
                   old("thermalFraction"), provenance, node[2] if node else None, (), None, value)
    evidence = _evidence(member(value, "evidence", where), f"{where}.evidence")
    own = evidence.of("device")
    if sorted(s.name for s in own) != sorted(devices):
        raise Damaged(f"{where}.evidence: its devices are not those of the trial")
    energies = _energies(evidence, trace, f"{where}.evidence", differences)
    by_name = {(e.source.name, e.source.role): e for e in energies}
    mine = [by_name[(s.name, "device")] for s in own]
    if asked is None:
        steps = _steps(own, evidence, where)
    elif any(s.first_steps is not None or s.last_steps is not None for s in own):
        raise Damaged(f"{where}.evidence: step marks of a serving engine, which takes none that could be counted")
    else:
        if asked.requests is not None:
            asked.counted = serving.served(asked.requests, evidence.from_ns, evidence.to_ns, asked.limits)
        steps = number(value, "steps", where) if asked.counted is None else asked.counted.tokens
    meters = [e for e in energies if e.source.role == "node"]
    neighbours = [e for e in energies if e.source.role == "neighbour"]
    if bool(meters) != (node is not None):
        raise Damaged(f"{where}: the node's energy and the readings of its meter do not stand together")
    residuals = [(e.joules - e.power_joules) / e.joules for e in mine if e.power_joules is not None and e.joules != 0]
    return Leg(
        layers, evidence.seconds, steps, math.fsum(e.joules for e in mine), min(e.covered for e in mine),
        math.fsum(e.joules for e in meters) if meters else None, min(e.covered for e in meters) if meters else None,
        math.fsum(e.joules for e in mine + neighbours) if meters else None, len(mine) + len(neighbours) if meters else node_gpus, same,
        max(residuals, key=abs) if residuals else None,
        _largest([fraction(s.power_cap_seconds, s.span_seconds) for s in own]), _largest([fraction(s.thermal_seconds, s.span_seconds) for s in own]),
        provenance, node[2] if node else None, tuple(energies), evidence, value)


def _energies(evidence: Evidence, trace: dict[str, Readings] | None, where: str, differences: list[str]) -> list[SourceEnergy]:
    energies = []
    for i, s in enumerate(evidence.sources):
        at = f"{where}.sources[{i}]"
        readings = trace.get(s.name) if trace is not None else None
        energies.append(source_energy(s, evidence, readings, at, differences))
        if readings is not None and s.method == "counter":
            differences.extend(counter_differences(s, evidence, readings, at))
    return energies


def parse_trial(document: Any, line: int, trace: dict[str, Readings] | None, differences: list[str], readings_kept: bool, asked: Asked | None = None) -> Trial:
    """A trial with figures of our own. differences: receives a sentence for each reading that its trace contradicts, and each wrap that cannot be. asked: None of a decode step.

    Legs of trials that are not valid enter no figure and are not computed.
    """
    where = f"line {line}"
    identity = member(document, "trial", where)
    at = f"{where}.trial"
    outcome = text(document, "outcome", where)
    if outcome not in ("valid", "invalid", "failed", "cancelled"):
        raise Damaged(f"{where}.outcome is '{shown(outcome, 30)}'")
    devices = tuple(texts(document, "devices", where))
    legs: list[Leg] = []
    idle, idle_sources, idle_watts = None, [], None
    served = counted = None
    if outcome == "valid":
        if not devices or len(set(devices)) != len(devices):
            raise Damaged(f"{where}.devices names none, or one twice")
        for i, leg in enumerate(items(document, "legs", where)):
            legs.append(_leg(leg, devices, trace, f"{where}.legs[{i}]", differences, readings_kept, asked))
        if len({leg.layers for leg in legs}) != len(legs):
            raise Damaged(f"{where} has two legs of one L'")
        if asked is not None:
            if len(legs) != 1:
                raise Damaged(f"{where} has {len(legs)} legs; the trial of a serving engine has one")
            served, counted = serving.parse_served(member(document, "served", where), f"{where}.served"), asked.counted
        if not readings_kept:
            idle_watts = None if document.get("idleContextWatts") == "NaN" else number_or_none(document, "idleContextWatts", where)
        elif document.get("idle") is not None:
            idle = _evidence(document["idle"], f"{where}.idle")
            if sorted(s.name for s in idle.of("device")) != sorted(devices):
                raise Damaged(f"{where}.idle: its devices are not those of the trial")
            idle_sources = _energies(idle, trace, f"{where}.idle", differences)
            own = [e for e in idle_sources if e.source.role == "device"]
            if all(e.covered > 0 for e in own):
                idle_watts = math.fsum(e.joules / e.covered for e in own)
    return Trial(
        integer(document, "sequence", where) if readings_kept else line - 1, line, text(identity, "sweep", at), text(identity, "group", at), text(identity, "label", at),
        text(identity, "configuration", at), integer(identity, "block", at), integer(identity, "pass", at), text(document, "planSha256", where) if readings_kept else None,
        outcome, tuple(texts(document, "reasons", where)), text(document, "host", where), devices, text(document, "model", where), text(document, "driver", where),
        text(document, "rack", where), text(document, "site", where), None if not readings_kept else number_or_none(document, "powerLimitWatts", where),
        text_or_none(document, "originUtc", where), tuple(legs), idle_watts, tuple(idle_sources), idle,
        text(document, "trace", where), text(document, "traceSha256", where), served, counted, document)
