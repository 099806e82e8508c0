"""Makes a small, consistent directory of format 3 or 4 from made-up readings, and damaged copies of it.

Every formula of docs/results.md is written here a second time, in the plainest way and without the package, so that a mistake is not shared: integrals by Simpson's rule, quantiles by
bisection, expectations of mean squares by putting indicator vectors into the sums of squares themselves.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import math
import os
import random
from functools import lru_cache

from . import served

SWEEP = "made-20261130-000000-0001"
PLAN_SHA = hashlib.sha256(b"the plan").hexdigest()
COST = {"A": (100e6, 200e6, 50e6, 1.6e9, 0.4e9), "C": (100e6, 52e6, 50e6, 1.6e9, 0.4e9), "D": (100e6, 200e6, 400e6, 1.6e9, 0.5e9), "E": (80e6, 160e6, 9e6, 1.3e9, 0.7e9),
        "K": (20e6, 10e6, 30e6, 5e9, 1e9)}
# workload: (s per step: fixed, a layer; W a device: fixed part, a layer)
PHYSICS = {"A": (4e-4, 9e-4, 360.0, 1.0), "C": (4e-4, 5e-4, 355.0, 1.5), "D": (4e-4, 14e-4, 350.0, 1.2), "E": (4e-4, 4e-4, 390.0, 1.1), "K": (3e-4, 2e-4, 420.0, 0.9)}
LAYERS = {"A": (2, 8, 14), "K": (8,)}


def layers_of(workload):
    planned = LAYERS.get(workload, (2, 14))
    return {"shortLayers": planned[0], "longLayers": planned[-1], **({"middleLayers": planned[1]} if len(planned) == 3 else {})}


# Student's T: P(T > x) = ∫ sin^(ν−1) from 0 to acot(x/√ν), over that from 0 to π

def _simpson(f, a, b, n=2000):
    h = (b - a) / n
    return h / 3 * (f(a) + f(b) + 4 * sum(f(a + i * h) for i in range(1, n, 2)) + 2 * sum(f(a + i * h) for i in range(2, n, 2)))


@lru_cache(maxsize=None)
def tail(x, nu):
    def power(angle):
        return math.sin(angle) ** (nu - 1)
    return _simpson(power, 0.0, math.atan2(math.sqrt(nu), x)) / _simpson(power, 0.0, math.pi)


def _bisect(rising, low, high):
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@lru_cache(maxsize=None)
def cv(alpha, nu, bias):
    return _bisect(lambda c: alpha - tail(c - bias, nu) - tail(c + bias, nu), 0.0, bias + 2000.0)


def h_of(se, nu, alpha, bound):
    return bound if se == 0 else se * cv(alpha, nu, bound / se)


# Means

def average(values):
    values = list(values)
    return sum(values) / len(values)


def sd(values):
    m = average(values)
    return math.sqrt(sum((v - m) ** 2 for v in values) / (len(values) - 1))


def nest(seen, n0):
    """seen: (host, device group, pass, value). Returns value, scope, units, se, ν."""
    hosts = sorted({s[0] for s in seen})
    groups = {h: sorted({s[1] for s in seen if s[0] == h}) for h in hosts}
    of_group = {(h, g): average(s[3] for s in seen if s[0] == h and s[1] == g) for h in hosts for g in groups[h]}
    of_host = {h: average(of_group[h, g] for g in groups[h]) for h in hosts}
    value = average(of_host.values())
    if len(hosts) > 1:
        units = [of_host[h] for h in hosts]
        return value, "nodes", len(units), sd(units) / math.sqrt(len(units)), len(units) - 1
    if len(groups[hosts[0]]) > 1:
        units = [of_group[hosts[0], g] for g in groups[hosts[0]]]
        return value, "this node", len(units), sd(units) / math.sqrt(len(units)), len(units) - 1
    units = [s[3] for s in sorted(seen, key=lambda s: s[2])]
    if len(units) == 1:
        return value, "none", 1, None, 0
    first = units[:max(2, n0)]
    return value, "this device", len(units), sd(first) / math.sqrt(len(units)), len(first) - 1


def components(seen):
    """Nested analysis of variance: E(SS) of a level is Σ over the effects above and below it of SS(the effect's indicator)·variance."""
    rows = [(s[0], (s[0], s[1]), s[3]) for s in seen]
    hosts, groups, n = sorted({r[0] for r in rows}), sorted({r[1] for r in rows}), len(rows)

    def mean_where(y, keep):
        return average(v for r, v in zip(rows, y) if keep(r))

    def ss(y):
        grand = average(y)
        a = sum((mean_where(y, lambda q: q[0] == r[0]) - grand) ** 2 for r in rows)
        b = sum((mean_where(y, lambda q: q[1] == r[1]) - mean_where(y, lambda q: q[0] == r[0])) ** 2 for r in rows)
        e = sum((v - mean_where(y, lambda q: q[1] == r[1])) ** 2 for r, v in zip(rows, y))
        return a, b, e

    def expectation(level, pick):
        return sum(ss([1.0 if pick(r) == effect else 0.0 for r in rows])[level] for effect in sorted({pick(r) for r in rows}))

    none = {"pass": None, "device": None, "node": None, "deviceAndNode": None}
    if n == len(groups):
        return none
    a, b, e = ss([r[2] for r in rows])
    of_pass = e / (n - len(groups))

    def shown(v):
        return math.sqrt(v) if v > 0 else 0.0

    if len(groups) == 1:
        return {**none, "pass": shown(of_pass)}
    if len(groups) == len(hosts):
        both = (a - (len(hosts) - 1) * of_pass) / expectation(0, lambda r: r[0])
        return {**none, "pass": shown(of_pass), "deviceAndNode": shown(both)}
    device = (b - (len(groups) - len(hosts)) * of_pass) / expectation(1, lambda r: r[1])
    if len(hosts) == 1:
        return {**none, "pass": shown(of_pass), "device": shown(device)}
    node = (a - (len(hosts) - 1) * of_pass - expectation(0, lambda r: r[1]) * device) / expectation(0, lambda r: r[0])
    return {**none, "pass": shown(of_pass), "device": shown(device), "node": shown(node)}


# Readings

def micro(x):
    return round(x, 6)


class Meter:
    """One source's readings in a trial: (ns, W, J as the counter shows it, J that it would show if it never wrapped)."""

    def __init__(self, name, role, method, period_ns, rng, start, gap=None, modulus=None):
        self.name, self.role, self.method, self.period, self.rng, self.modulus = name, role, method, period_ns, rng, modulus
        self.rows, self.now, self.level, self.gap = [], 37_000_003, start, gap

    def run_until(self, ns, watts):
        while self.now <= ns:
            w = watts * (1 + 0.004 * math.sin(self.now / 3.1e8) + self.rng.gauss(0, 0.001))
            step = self.period + self.rng.randrange(-900_000, 900_000)
            if self.gap and self.gap[0] <= self.now < self.gap[0] + self.period:
                step = self.gap[1]
            level = micro(self.level)
            self.rows.append((self.now, micro(w), micro(level - self.modulus * self.turns(level)) if self.modulus else level, level))
            self.level += w * step / 1e9
            self.now += step

    def turns(self, level):
        return math.floor(level / self.modulus) if self.modulus else 0

    def around(self, ns, column=2):
        before = [r for r in self.rows if r[0] <= ns][-1]
        after = [r for r in self.rows if r[0] >= ns][0]
        return {"beforeNanoseconds": before[0], "before": before[column], "afterNanoseconds": after[0], "after": after[column]}

    def integral(self, start, end):
        joules = covered = 0.0
        for (t0, w0, _, _), (t1, w1, _, _) in zip(self.rows, self.rows[1:]):
            left, right = max(t0, start), min(t1, end)
            if right > left and t1 - t0 <= 3 * self.period:
                at_left = (w0 * (t1 - left) + w1 * (left - t0)) / (t1 - t0)
                at_right = (w0 * (t1 - right) + w1 * (right - t0)) / (t1 - t0)
                joules += (at_left + at_right) / 2 * (right - left) / 1e9
                covered += (right - left) / 1e9
        return joules, covered


def on_line(b, t):
    if b["afterNanoseconds"] == b["beforeNanoseconds"]:
        return b["before"]
    w = (t - b["beforeNanoseconds"]) / (b["afterNanoseconds"] - b["beforeNanoseconds"])
    return (1 - w) * b["before"] + w * b["after"]


def _source(meter, start, end, steps=None, cap=None):
    first, last = meter.around(start), meter.around(end)
    integral, covered = meter.integral(start, end)
    true_first, true_last = meter.around(start, 3), meter.around(end, 3)
    counter = on_line(true_last, end) - on_line(true_first, start)
    wraps = meter.turns(true_last["before"]) - meter.turns(true_first["before"])
    by_counter = meter.method == "counter"
    return {
        "source": meter.name, "role": meter.role, "method": meter.method,
        "joules": counter if by_counter else integral, "coveredSeconds": (end - start) / 1e9 if by_counter else covered,
        "first": first if by_counter else None, "last": last if by_counter else None,
        "wrappedJoules": wraps * meter.modulus if by_counter and meter.modulus else 0, "modulusJoules": meter.modulus if by_counter else None,
        "powerJoules": integral if by_counter and meter.role == "device" else None,
        "firstSteps": steps[0] if steps else None, "lastSteps": steps[1] if steps else None,
        "powerCapSeconds": None if meter.role != "device" else cap * (end - start - 90_000_000) / 1e9 if cap else 0.0, "thermalSeconds": 0.0 if meter.role == "device" else None,
        "slowdownSpanSeconds": (end - start - 90_000_000) / 1e9 if meter.role == "device" else 0, "periodSeconds": meter.period / 1e9,
    }


def make_trial(shape, cell, block, number, rng, keep_trace):
    """A trial's document (without sequence), its trace's bytes, and those of its requests."""
    host, uuids = shape["blocks"][block]
    workload = cell["workload"]
    engine = served.ENGINES.get(cell["model"])
    fixed, per_layer, base, more = (0.0, 0.0, engine["watts"], 0.0) if engine else PHYSICS[workload]
    name = f"{cell['group']}.{cell['label']}.b{block}.p{number}.{cell['sha'][:8]}"
    plain = name.replace(" ", "_").replace("(", "_").replace(")", "_")
    answered, requests = None, None
    here = [u for u in shape["nodes"][host] if u not in uuids]
    luck = 1 + rng.gauss(0, 0.004) + shape["level"][host] + 0.002 * block
    gap = shape.get("gap")
    modulus = shape.get("modulus", {})
    meters = [Meter(u, "device", shape["method"], 100_000_000, rng, 5000.0 + 77 * i, gap, modulus.get("device")) for i, u in enumerate(uuids)]
    others = [Meter(u, "neighbour", "counter", 100_000_000, rng, 900.0) for u in here] if shape["meter"] else []
    node = [Meter("input", "node", "counter", 500_000_000, rng, 123456.0, modulus=modulus.get("node"))] if shape["meter"] else []
    clock, legs, capped = 1_200_000_000, [], (cell["label"], block, number) in shape["capped"]
    bad = (cell["label"], block, number) in shape["spoiled_slope"]
    for layers in [1] if engine else ([0] if cell["vocabulary"] else []) + list(LAYERS.get(workload, (2, 14))):
        step_s = (fixed + per_layer * layers) * (1 + rng.gauss(0, 0.0008))
        if bad and layers == 14:
            step_s = (fixed + per_layer * 1) * 0.9
        watts = (base + more * layers) * luck
        start = clock + rng.randrange(400_000_000, 500_000_000)
        end = start + 2_000_000_000 + rng.randrange(50_000_000)
        stop = end + 600_000_000
        for m in meters + others:
            m.run_until(stop, watts if m.role == "device" else 90.0)
        for m in node:
            m.run_until(stop, watts * len(meters) + 90.0 * len(others) + 410.0)
        marks = []
        if engine:
            rows = served.ask(rng, engine, clock, stop)
            requests = served.lines(rows)
            answered = served.served(rows, start, end, ENGINE_LIMITS, engine, f"{plain}.ndjson", hashlib.sha256(requests).hexdigest(), 2.5 + 0.1 * number)
        for i in range(0 if engine else len(uuids)):
            k0, k1 = int((start - clock) / 1e9 / step_s), int((end - clock) / 1e9 / step_s)

            def mark(k, shift=i):
                return {"beforeNanoseconds": clock + int(k * step_s * 1e9), "before": 1000 * shift + k, "afterNanoseconds": clock + int((k + 1) * step_s * 1e9), "after": 1000 * shift + k + 1}
            marks.append((mark(k0), mark(k1)))
        sources = [_source(m, start, end, marks[i] if marks else None, 0.25 if capped and layers else None) for i, m in enumerate(meters)] + [_source(m, start, end) for m in others + node]
        legs.append(_leg(shape, layers, start, end, sources, len(uuids), cell["batch"], served.tokens(rows, start, end) if engine else None))
        clock = stop
    idle_from, idle_to = clock + 500_000_000, clock + 1_700_000_000
    for m in meters + others:
        m.run_until(idle_to + 300_000_000, 110.0 if m.role == "device" else 90.0)
    idle_sources = [_source(m, idle_from, idle_to) for m in meters]
    for s in idle_sources:
        s.update(powerCapSeconds=None, thermalSeconds=None, slowdownSpanSeconds=0)
    outcome = shape["spoiled"].get((cell["label"], block, number))
    trace = None
    if keep_trace:
        rows = sorted((t, m.name, w, j) for m in meters + node for t, w, j, _ in m.rows)
        shows_counter = shape["method"] == "counter"
        trace = ("nanoseconds,source,watts,joules,phase\n" + "".join(
            f"{t},{s},{w:.6f},{f'{j:.6f}' if shows_counter or s == 'input' else 'NaN'},window\n" for t, s, w, j in rows)).encode()
    return {
        "trial": {"sweep": SWEEP, "group": cell["group"], "label": cell["label"], "configuration": cell["sha"], "block": block, "pass": number},
        "planSha256": PLAN_SHA, "outcome": outcome[0] if outcome else "valid", "reasons": [outcome[1]] if outcome else [],
        "host": host, "site": "lab", "rack": "r1", "devices": list(uuids), "model": "H100-SXM-80GB", "driver": "575.1", "powerLimitWatts": 700, "epoch": 1, "attempt": 0,
        "startedUtc": "2026-11-30T00:00:00+00:00", "endedUtc": "2026-11-30T00:01:00+00:00", "originUtc": f"{(datetime.datetime(2026, 11, 30) + datetime.timedelta(minutes=10 * number + cell['place'])).isoformat()}.{abs(hash_of(name)) % 10**6:06}+00:00",
        "timeScale": 1, "startedWallUtc": "2026-11-30T00:00:00+00:00", "endedWallUtc": "2026-11-30T00:01:00+00:00",
        "startCelsius": 35.5, "legs": legs, "idleContextWatts": sum(s["joules"] / s["coveredSeconds"] for s in idle_sources),
        "idle": {"fromNanoseconds": idle_from, "toNanoseconds": idle_to, "sources": idle_sources}, "flags": [], "absent": {},
        "trace": f"{plain}.csv" if trace else "", "traceSha256": hashlib.sha256(trace).hexdigest() if trace else "", **({"served": answered} if engine else {}),
    }, trace, requests


def hash_of(text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _leg(shape, layers, start, end, sources, devices, batch, steps=None):
    own = [s for s in sources if s["role"] == "device"]
    meter = [s for s in sources if s["role"] == "node"]
    if steps is None:
        steps = sum(on_line(s["lastSteps"], end) - on_line(s["firstSteps"], start) for s in own)
    window = (end - start) / 1e9
    residuals = [(s["joules"] - s["powerJoules"]) / s["joules"] for s in own if s["powerJoules"] is not None]

    def energy(joules, covered):
        return {"joules": joules, "coveredSeconds": covered, "expectedSeconds": window, "lowGapJoules": 0, "highGapJoules": 0, "edgeUncertaintyJoules": 1.5, "method": shape["method"],
                "provenance": shape["provenance"], "coverage": covered / window}
    return {
        "layers": layers, "startedUtc": "2026-11-30T00:00:10+00:00", "windowSeconds": window, "steps": steps, "tokens": steps * batch,
        "gpu": energy(sum(s["joules"] for s in own), min(s["coveredSeconds"] for s in own)),
        "node": energy(meter[0]["joules"], meter[0]["coveredSeconds"]) if meter else None,
        "nodeGpuJoules": sum(s["joules"] for s in sources if s["role"] != "node") if meter else None, "nodeGpus": len(sources) - len(meter) if meter else 0, "sameCellGpus": devices,
        "counterResidual": max(residuals, key=abs) if residuals else None,
        "powerCapFraction": max(s["powerCapSeconds"] / s["slowdownSpanSeconds"] for s in own), "thermalFraction": 0.0,
        "warmupSeconds": 20, "meanCelsius": 60, "meanMegahertz": 1980, "p50StepSeconds": 0.001, "p99StepSeconds": 0.001, "flags": [],
        "evidence": {"fromNanoseconds": start, "toNanoseconds": end, "sources": sources},
        "absent": {} if meter else {"nodeGpuJoules": "the node has no input meter", **({} if residuals else {"counterResidual": "the device has only one of both"})},
    }


# Shapes of sweeps

def site_shape(passes=2):
    """Two nodes of four GPUs, device groups of two; a void pass, an invalid trial, one with a negative slope, one that was capped; a site with meters."""
    nodes = {"h1": [f"GPU-1{i}" for i in range(4)], "h2": [f"GPU-2{i}" for i in range(4)]}
    blocks = [("h1", ("GPU-10", "GPU-11")), ("h1", ("GPU-12", "GPU-13")), ("h2", ("GPU-20", "GPU-21")), ("h2", ("GPU-22", "GPU-23"))]
    return {
        "nodes": nodes, "blocks": blocks, "level": {"h1": 0.0, "h2": 0.006}, "method": "counter", "meter": True, "provenance": "measured", "passes": [passes + 1] + [passes] * 3,
        "void": {(3, passes)}, "capped": {("A", 2, 0)}, "spoiled": {("C", 1, 1): ("invalid", "thermal slowdown in 2 % of the window")}, "spoiled_slope": {("E", 0, 1)},
        "groups": [("dense", "A", ["A", "C", "D", "E"]), ("alone", None, ["K"])], "vocabulary": 32000, "aa": ("dense", "A", 0.01), "min": 2, "max": 4,
        "envelope": (4000.0, "node", 8), "pue": ("site", None, 3), "cost": (0.1, 2e-7, "USD"), "boundary": "gpu", "service_ms": 44.0, "qualified": {"GPU-10": (6.0, 4.0, 0.001, 0.002, 700)},
    }


def device_shape(passes=7):
    """One device, passes as units of which the first five are the first stage; power integrated over a gap; a declared PUE that no node's meter can use."""
    return {
        "nodes": {"h": ["GPU-0"]}, "blocks": [("h", ("GPU-0",))], "level": {"h": 0.0}, "method": "power", "meter": False, "provenance": "modelled", "passes": [passes], "void": set(), "capped": set(),
        "spoiled": {}, "spoiled_slope": set(), "groups": [("dense", "A", ["A", "C"])], "vocabulary": 0, "aa": ("dense", "A", 0.05), "min": 3, "max": 9, "envelope": None,
        "pue": ("declared", 1.3, 3), "cost": None, "boundary": "gpu", "service_ms": 100.0, "qualified": {}, "gap": (1_900_000_000, 420_000_000),
    }


def declared_shape(passes=3):
    """One device whose energy is computed from declared powers: no sensor, no bounds."""
    return {**device_shape(passes), "method": "counter", "gap": None, "declared": True}


def apart_shape(passes=3):
    """The declared one with a twin that does not pass: how far it is off is a part of every resolution."""
    return {**declared_shape(passes), "aa": ("dense", "A", 1e-6)}


def wraps_shape(passes=3):
    """The node with counters that wrap at little, so that they wrap in and between the readings around edges."""
    return {**node_shape(passes), "modulus": {"device": 400.0, "node": 1000.0}}


def node_shape(passes=3):
    """One node whose only device group is all of it, metered at its input, which is the boundary; a facility envelope under a declared PUE."""
    return {
        "nodes": {"h": ["GPU-0", "GPU-1"]}, "blocks": [("h", ("GPU-0", "GPU-1"))], "level": {"h": 0.0}, "method": "counter", "meter": True, "provenance": "measured", "passes": [passes],
        "void": set(), "capped": set(), "spoiled": {}, "spoiled_slope": set(), "groups": [("dense", "A", ["A", "E"])], "vocabulary": 0, "aa": None, "min": 5, "max": 5,
        "envelope": (1500.0, "facility", 2), "pue": ("declared", 1.25, 3), "cost": (0.2, 0, "EUR"), "boundary": "node", "service_ms": 100.0, "qualified": {},
    }


def serve_shape(passes=2):
    """Format 4: kernels beside two serving engines, one of them with its twin, on two device groups of a node; a trial of an engine is invalid, another's pass is void."""
    return {
        "format": 4, "nodes": {"h": [f"GPU-{i}" for i in range(4)]}, "blocks": [("h", ("GPU-0", "GPU-1")), ("h", ("GPU-2", "GPU-3"))], "level": {"h": 0.0}, "method": "counter", "meter": True,
        "provenance": "measured", "passes": [passes + 1, passes], "void": {(1, passes)}, "capped": set(), "spoiled": {("tiny-q8", 0, 1): ("invalid", "tokens are not the engine's")}, "spoiled_slope": set(),
        "groups": [("dense", "A", ["A", "E"]), ("engines", "tiny-f16", ["tiny-f16", "tiny-q8"])], "vocabulary": 0, "aa": ("engines", "tiny-f16", 0.3), "min": 2, "max": 4, "panels": False,
        "envelope": (2000.0, "gpu", 4), "pue": ("declared", 1.2, 3), "cost": (0.1, 0, "USD"), "boundary": "gpu", "service_ms": 100.0, "qualified": {},
    }


def lone_shape(passes=3):
    """Format 4: a serving engine on one device, metered at the node."""
    return {
        **node_shape(passes), "format": 4, "groups": [("engines", "tiny-f16", ["tiny-f16", "tiny-q8"])],
    }


# of the group of engines: ms per token, ms to the first
ENGINE_LIMITS, ENGINE_STATISTIC = (24.0, 45.0), "p90"
MODEL_LAYERS, BATCH, BANDWIDTH, PEAK, RATED = 32, 8, 3.35e12, 989e12, 700.0


def cells_of(shape):
    cells = []
    for group, _, workloads in shape["groups"]:
        labels = [(w, w, None) for w in workloads]
        if shape["aa"] and shape["aa"][0] == group:
            labels.append((f"{shape['aa'][1]} (twin)", shape["aa"][1], shape["aa"][1]))
        for label, workload, twin in labels:
            sha = hashlib.sha256(f"{group} {workload}".encode()).hexdigest()
            cells.append({"group": group, "label": label, "workload": workload, "twin": twin, "weights": "INT4" if workload in "CK" else "FP16", "batch": BATCH, "sha": sha,
                          "vocabulary": shape["vocabulary"], "place": len(cells), "model": None, "depth": MODEL_LAYERS})
            if workload in served.ENGINES:
                cells[-1].update(workload="serve", model=workload, batch=1, depth=1, weights="")
    return cells


def make(directory, shape, seed=7):
    """Writes the directory; returns its path."""
    rng = random.Random(seed)
    cells = cells_of(shape)
    os.makedirs(os.path.join(directory, "traces"))
    if any(c["model"] for c in cells):
        os.makedirs(os.path.join(directory, "requests"))
    documents, passes = [], []
    for block, count in enumerate(shape["passes"]):
        for number in range(count + (1 if (block, count) in shape["void"] else 0)):
            void = (block, number) in shape["void"]
            for group, _, _ in shape["groups"]:
                passes.append({"group": group, "block": block, "pass": number, "state": "void" if void else "done", "reason": "the host was lost" if void else "",
                               "devices": [f"{shape['blocks'][block][0]}/{u}" for u in shape["blocks"][block][1]]})
                for cell in [c for c in cells if c["group"] == group][:2 if void else None]:
                    document, trace, requests = make_trial(shape, cell, block, number, rng, keep_trace=number == 0 or shape["method"] == "power")
                    documents.append({"sequence": len(documents), **document})
                    if trace:
                        write(directory, f"traces/{document['trace']}", trace)
                    if requests:
                        write(directory, f"requests/{document['served']['requests']}", requests)
    write(directory, "plan.yaml", b"name: made\n")
    write(directory, "plan.resolved.yaml", plan_text(shape, cells).encode())
    write(directory, "report.html", b"<!doctype html>\n")
    put_journal(directory, "trials.ndjson", documents)
    names = {i: f"{d['trial']['group']}.{d['trial']['label']}.b{d['trial']['block']}.p{d['trial']['pass']}.{d['trial']['configuration'][:8]}" for i, d in enumerate(documents) if d["outcome"] != "valid"}
    voided = [("void", f"pass {p['pass']} of block {p['block']} in {p['group']}: {p['reason']}", f"void/{p['group']}.b{p['block']}.p{p['pass']}") for p in passes if p["state"] == "void"]
    events = [("submitted", "made", "submitted")] + voided + [("trial", f"{name}: {documents[i]['outcome']}", f"trial/{name}") for i, name in names.items()] + [("finished", "", "end")]
    put_journal(directory, "events.ndjson", [{"sequence": i, "atUtc": "2026-11-30T00:00:00+00:00", "kind": k, "text": t, "key": key} for i, (k, t, key) in enumerate(events)])
    facility = None
    if shape["pue"] and shape["pue"][0] == "site":
        text = ("from_window,to_window,windows,whole,facility_joules,facility_low_joules,facility_high_joules,facility_covered_weight,facility_weight,"
                "it_joules,it_low_joules,it_high_joules,it_unmetered_rated_joules\n"
                "1000,1040,40,1,500000.5,0,0,40,40,390000.25,100,200,2000\n1040,1050,10,0,90000,8000,13000,5,10,97000,960,980,500\n1050,1100,48,1,601000,0,0,48,48,470000,0,0,2500\n")
        write(directory, "facility.csv", text.encode())
        it, whole = 390000.25 + 470000, 500000.5 + 601000
        facility = {"name": "ipue", "value": whole / it, "low": None, "high": None, "category": 3, "fromWindow": 1000, "toWindow": 1100, "facilityKilowattHours": whole / 3.6e6,
                    "itKilowattHours": it / 3.6e6, "timeCoverage": 88 / 100, "itCoverage": it / (it + 4500), "missingMeters": [], "flags": [], "provenance": "measured",
                    "edition": "ISO/IEC 30134-2:2016"}
    manifest = manifest_of(shape, passes)
    matrix = matrix_of(shape, cells, documents, passes, manifest, facility)
    write(directory, "matrix.json", json.dumps(matrix, indent=2, ensure_ascii=False).encode())
    write(directory, "cells.csv", cells_csv(matrix))
    write_manifest(directory, manifest)
    return directory


# Writing

def write(directory, name, data):
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


def read(directory, name):
    with open(os.path.join(directory, name), "rb") as file:
        return file.read()


def journal_line(document):
    data = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return b'{"sha256":"' + hashlib.sha256(data).hexdigest().encode() + b'","document":' + data + b"}\n"


def put_journal(directory, name, documents):
    write(directory, name, b"".join(journal_line(d) for d in documents))


def get_journal(directory, name):
    return [json.loads(line)["document"] for line in read(directory, name).splitlines()]


def write_manifest(directory, manifest):
    files = []
    for here, _, names in os.walk(directory):
        for n in names:
            name = os.path.relpath(os.path.join(here, n), directory).replace(os.sep, "/")
            if name != "manifest.json":
                data = read(directory, name)
                files.append({"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    manifest = {k: v for k, v in manifest.items() if k not in ("files", "sha256")}
    manifest["files"] = sorted(files, key=lambda f: f["name"])
    body = json.dumps(manifest, indent=2, ensure_ascii=False).encode()[:-2]
    write(directory, "manifest.json", body + b',\n  "sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n')


def reseal(directory):
    """Gives every file and the manifest right hashes again."""
    write_manifest(directory, json.loads(read(directory, "manifest.json")))


def plan_text(shape, cells):
    lines = ["# Resolved plan: nothing is left to defaults.", f"# sha256 of its canonical JSON: {PLAN_SHA}", 'name: "made"', "operating_point:", "  quality:", '    target: "none"',
             '    check: "none"', "  service:", f"    milliseconds_per_token: {shape['service_ms']}", '    statistic: "mean"', 'workload_mix: "decode only"', 'batching: "closed batch"', "hardware:",
             '  description: "made up"', '  model: "H100-SXM-80GB"', f"  devices: {sum(len(b[1]) for b in shape['blocks'])}", f'boundary: "{shape["boundary"]}"', 'stack: "cuda"',
             'match: ["batch", "context"]', "groups:"]
    for group, baseline, _ in shape["groups"]:
        lines += [f'  - name: "{group}"'] + ([f'    baseline: "{baseline}"'] if baseline else []) + ["    layers: [2, 14]"]
        if any(c["model"] for c in cells if c["group"] == group):
            lines += ["    operating_point:", "      service:", f"        milliseconds_per_token: {ENGINE_LIMITS[0]}", f'        statistic: "{ENGINE_STATISTIC}"',
                      f"        first_token_milliseconds: {ENGINE_LIMITS[1]}"]
        lines += ["    cells:"]
        lines += [f'      - {{label: "{c["label"]}", workload: "serve", stack: "llama-server", model: "{c["model"]}", '
                  + "".join(f"engine: {json.dumps(p)}, " for p in [served.ENGINES[c["model"]]["parameters"]] if p)
                  + 'load: {concurrency: 3}, prompts: {input_tokens: {min: 20, max: 60}, output_tokens: 12}, generation: {ignore_eos: true}, data_seed: 1}'
                  for c in cells if c["group"] == group and c["model"] and not c["twin"]]
        lines += [f'      - {{label: "{c["label"]}", workload: "{c["workload"]}", weights: "{c["weights"]}", batch: {BATCH}, context: 4096, d_model: 8192, d_ff: 22016, heads: 64, kv_heads: 64, model_layers: {MODEL_LAYERS}, layers: {list(LAYERS.get(c["workload"], (2, 14)))}, '
                  f'vocabulary: {c["vocabulary"]}, stack: "cuda", data: "normal", data_seed: 1}}' for c in cells if c["group"] == group and not c["model"] and not c["twin"]]
    if shape.get("panels", len(shape["groups"]) > 1):
        lines += ["panels:", '  - title: "as printed"', "    baseline:", '      group: "dense"', '      label: "A"', "    cells:",
                  '      - {group: "dense", label: "C", published_joules_per_token: 1.2}', '      - {group: "alone", label: "K"}']
    else:
        lines += ["panels: []"]
    if shape["aa"]:
        lines += ["aa:", f'  group: "{shape["aa"][0]}"', f'  of: "{shape["aa"][1]}"', f"  delta: {shape['aa'][2]}"]
    lines += ["passes:", f"  min: {shape['min']}", f"  max: {shape['max']}", "  half_width: 0.01", 'fill: "device"', "guards:", "  min_coverage: 0.95"]
    if shape["envelope"]:
        lines += ["envelope:", f"  watts: {shape['envelope'][0]}", f'  boundary: "{shape["envelope"][1]}"', f"  devices: {shape['envelope'][2]}"]
    if shape["pue"]:
        lines += ["pue:", f'  source: "{shape["pue"][0]}"'] + ([f"  value: {shape['pue'][1]}"] if shape["pue"][1] else []) + [f"  category: {shape['pue'][2]}"]
    if shape["cost"]:
        lines += ["cost:", f"  price_per_kwh: {shape['cost'][0]}", f"  kappa: {shape['cost'][1]}", f'  currency: "{shape["cost"][2]}"']
    return "\n".join(lines + ['traces: "first-pass"']) + "\n"


def manifest_of(shape, passes):
    devices = []
    for host, uuids in shape["nodes"].items():
        for i, uuid in enumerate(uuids):
            q = shape["qualified"].get(uuid)
            devices.append({"host": host, "uuid": uuid, "model": "H100-SXM-80GB", "kind": "cuda", "site": "lab", "rack": "r1", "index": i, "memoryBytes": 80e9,
                            "bandwidthBytesPerSecond": BANDWIDTH, "bandwidthProvenance": "measured", "peakFlopsPerSecond": PEAK, "ratedWatts": RATED, "powerLimitWatts": 700, "driver": "575.1",
                            "energySource": "declared 20 W idle" if shape.get("declared") else "counter", "energyProvenance": shape["provenance"], "key": f"{host}/{uuid}",
                            "qualification": {"offsetWatts": q[0], "nonLinearityWatts": q[1], "alias": q[2], "counterResidual": q[3], "ratedWatts": q[4], "method": "steps"} if q else None})
    return {"format": shape.get("format", 3), "sweep": SWEEP, "plan": "made", "planSha256": PLAN_SHA, "version": "1.0.0", "runtime": "none", "phase": "finished", "submittedBy": "local",
            "submittedUtc": "2026-11-30T00:00:00+00:00", "endedUtc": "2026-11-30T01:00:00+00:00", "devices": devices, "disclosure": {"boundary": shape["boundary"]}, "passes": passes}


# The matrix, written out plainly

def matrix_of(shape, cells, documents, passes, manifest, facility):
    n0 = min(max(5, shape["min"]), shape["max"])
    void = {(p["group"], p["block"], p["pass"]) for p in passes if p["state"] == "void"}
    rank = ["measured", "declared", "modelled", "projected"]

    def usable(cell):
        found = [d for d in documents if (d["trial"]["group"], d["trial"]["label"]) == (cell["group"], cell["label"]) and d["outcome"] == "valid"
                 and (cell["group"], d["trial"]["block"], d["trial"]["pass"]) not in void]
        return sorted(found, key=lambda d: (d["host"], "+".join(d["devices"]), d["trial"]["pass"]))

    def joules_per_step(leg, devices, boundary, idle=0.0):
        if boundary == "gpu":
            return (leg["gpu"]["joules"] - idle * leg["gpu"]["coveredSeconds"]) / (leg["steps"] * leg["gpu"]["coveredSeconds"] / leg["windowSeconds"])
        if leg["node"] is None:
            return None
        share = leg["node"]["coveredSeconds"] / leg["windowSeconds"]
        if leg["sameCellGpus"] == leg["nodeGpus"] and leg["nodeGpus"] == devices:
            return leg["node"]["joules"] / (leg["steps"] * share)
        energy = leg["gpu"]["joules"] / (leg["gpu"]["coveredSeconds"] / leg["windowSeconds"]) * share + (leg["node"]["joules"] - leg["nodeGpuJoules"] * share) * devices / leg["nodeGpus"]
        return energy / (leg["steps"] * share)

    def slope_of(d, boundary, net=False):
        """a, b, intercept, [(L', J, t)] or None"""
        n = len(d["devices"])
        points = [(leg["layers"], joules_per_step(leg, n, boundary, d["idleContextWatts"] if net else 0.0), leg["windowSeconds"] * n / leg["steps"]) for leg in d["legs"] if leg["layers"] > 0]
        if any(p[1] is None for p in points):
            return None
        (l0, j0, t0), (l1, j1, t1) = points[0], points[-1]
        if len(points) == 1:
            return j1 / l1, t1 / l1, None, points
        a, b = (j1 - j0) / (l1 - l0), (t1 - t0) / (l1 - l0)
        return a, b, j0 - a * l0, points

    def good(cell, boundary):
        result = []
        for d in usable(cell):
            s = slope_of(d, boundary)
            if s is not None and s[0] > 0 and s[1] > 0:
                result.append((d, s))
        return result

    def seen(pairs):
        return [(d["host"], d["host"] + "/" + "+".join(d["devices"]), d["trial"]["pass"], v) for d, v in pairs]

    def interval(value, se, nu, alpha, bound):
        if se is None:
            return None, None
        h = h_of(se, nu, alpha, bound)
        return math.exp(value - h), math.exp(value + h)

    used = {(c["group"], c["label"]): good(c, shape["boundary"]) for c in cells}
    residual = {}
    for key, pairs in used.items():
        told = [leg["counterResidual"] for d, _ in pairs for leg in d["legs"] if leg["layers"] > 0 and leg["counterResidual"] is not None]
        residual[key] = average(told) if told else None

    sensors = {}
    for group, _, _ in shape["groups"]:
        uuids = {(d["host"], u) for c in cells if c["group"] == group for d, _ in used[group, c["label"]] for u in d["devices"]}
        found = [x for x in manifest["devices"] if (x["host"], x["uuid"]) in uuids]
        rms = [residual[group, c["label"]] for c in cells if c["group"] == group and residual[group, c["label"]] is not None]
        def q(x, name, default):
            return x["qualification"][name] if x["qualification"] else default
        sensors[group] = (max(q(x, "offsetWatts", 10.0) for x in found), max(q(x, "nonLinearityWatts", 7.0) for x in found), max(q(x, "alias", 0.0) for x in found),
                          max([q(x, "counterResidual", 0.0) for x in found] + ([math.sqrt(average(r * r for r in rms))] if rms else [])))

        if shape.get("declared"):
            sensors[group] = (0.0, 0.0, 0.0, 0.0)
    gain = 0.0 if shape.get("declared") else 0.05

    def sensitivities(pairs):
        """of each device group: its mean s_o and s_n"""
        result = {}
        for d, s in pairs:
            result.setdefault((d["host"], tuple(d["devices"])), []).append(own_sensitivity(d, s))
        return {k: (average(x[0] for x in v), average(x[1] for x in v)) for k, v in result.items()}

    def own_sensitivity(d, slope):
        points = slope[3]

        def bow(j, t):
            return 4 * (j / t / RATED) * (1 - j / t / RATED)
        share = len(d["devices"]) if shape["boundary"] == "node" else 1
        (_, j0, t0), (_, j1, t1) = points[0], points[-1]
        t0, t1 = t0 / share, t1 / share
        o = (t1 - t0) / (j1 - j0) if len(points) > 1 else t1 / j1
        n = (bow(j1, t1) * t1 - bow(j0, t0) * t0) / (j1 - j0) if len(points) > 1 else bow(j1, t1) * t1 / j1
        return o, n

    def widest(group, items):
        """se, nu at the corner where the scatter is largest; items: (document, value, own sensitivity, the baseline's)"""
        b, n, _, _ = sensors[group]
        candidates = [nest(seen((d, v) for d, v, _, _ in items), n0)[3:5]]
        for i, k in ((1, 1), (1, -1), (-1, 1), (-1, -1)) if candidates[0][0] is not None else ():
            candidates.append(nest(seen((d, v + math.log(1 - i * b * c[0] - k * n * c[1]) - math.log(1 - i * b * base[0] - k * n * base[1])) for d, v, c, base in items), n0)[3:5])
        return max(candidates, key=lambda c: c[0] or 0.0)

    def terms(group, mine, theirs, gain):
        b, n, alias, counter = sensors[group]

        def over_groups(f):
            hosts = sorted({k[0] for k in mine})
            return average(average(f(mine[k], theirs[k] if theirs else (0.0, 0.0)) for k in mine if k[0] == h) for h in hosts)

        def corner(c, base):
            return max(abs(math.log((1 - i * b * base[0] - k * n * base[1]) / (1 - i * b * c[0] - k * n * c[1]))) for i in (1, -1) for k in (1, -1))
        t = [over_groups(lambda c, base: b * abs(c[0] - base[0])) / math.sqrt(3), over_groups(lambda c, base: n * abs(c[1] - base[1])) / math.sqrt(3), alias, counter, gain / math.sqrt(3)]
        return t, math.sqrt(sum(x * x for x in t)), over_groups(corner) + math.sqrt(3) * math.sqrt(alias ** 2 + counter ** 2) - math.log(1 - gain)

    def uncertainty(se, nu, t):
        return {"standardError": se, "degreesOfFreedom": nu, "offsetTerm": t[0][0], "nonLinearityTerm": t[0][1], "aliasTerm": t[0][2], "counterTerm": t[0][3], "gainTerm": t[0][4],
                "typeB": t[1], "bound": t[2]}

    def time_of(c, d, s):
        """s per token and layer of a device; of an engine, s per token of all its devices"""
        return d["legs"][0]["windowSeconds"] / d["legs"][0]["tokens"] if c["model"] else s[1] / c["batch"]

    pue = None if not shape["pue"] else facility["value"] if shape["pue"][0] == "site" else shape["pue"][1]
    rows = {}
    for c in cells:
        key = (c["group"], c["label"])
        pairs = used[key]
        BATCH, MODEL_LAYERS = c["batch"], c["depth"]
        parameters, wb, sb, wf, af = COST.get(c["workload"], (1.0,) * 5)
        flops, bytes_ = wf + af, wb + sb
        c_tok = flops / BATCH
        value, scope, units, se, nu = nest(seen((d, math.log(s[0] / BATCH)) for d, s in pairs), n0)
        se, nu = widest(c["group"], [(d, math.log(s[0] / BATCH), own_sensitivity(d, s), (0.0, 0.0)) for d, s in pairs])
        t = terms(c["group"], sensitivities(pairs), None, gain)
        low, high = interval(value, se, nu, 0.05, t[2])
        rate = math.exp(nest(seen((d, math.log(BATCH / s[1])) for d, s in pairs), n0)[0])
        net = None
        if shape["boundary"] == "gpu":
            m = nest(seen((d, slope_of(d, "gpu", net=True)[0] / BATCH) for d, _ in pairs), n0)
            h = None if m[3] is None else m[3] * cv(0.05, m[4], 0.0)
            net = {"value": m[0], "low": m[0] - h, "high": m[0] + h, "scope": m[1], "units": m[2]}
        mids = [(d, p[1][1] / (p[0][1] + s[0] * (p[1][0] - p[0][0])) - 1, p[1][0]) for d, s in pairs if len(p := s[3]) == 3]
        linearity = None
        if mids:
            m = nest(seen((d, v) for d, v, _ in mids), n0)
            h = m[3] * cv(0.05, m[4], 0.0)
            linearity = {"departure": {"value": m[0], "low": m[0] - h, "high": m[0] + h, "scope": m[1], "units": m[2]}, "layers": mids[0][2], "straight": m[0] - h <= 0 <= m[0] + h}

        def head(boundary):
            told = [(d, math.log(joules_per_step(leg, len(d["devices"]), boundary) / BATCH)) for d, _ in good(c, boundary) for leg in d["legs"] if leg["layers"] == 0]
            return math.exp(nest(seen(told), n0)[0]) if told else None
        projected = {}
        for boundary in ("gpu", "node"):
            at = good(c, boundary)
            if at:
                projected[boundary] = math.exp(nest(seen((d, math.log(s[0] / BATCH)) for d, s in at), n0)[0]) * MODEL_LAYERS + (head(boundary) or 0)
        if pue is not None and "node" in projected:
            projected["facility"] = projected["node"] * pue

        def uncapped(some):
            return [(d, s) for d, s in some if all(leg["powerCapFraction"] == 0 for leg in d["legs"] if leg["layers"] > 0)]
        free = uncapped(pairs)
        k_eff = c_tok * math.exp(nest(seen((d, math.log(BATCH / s[1])) for d, s in free), n0)[0]) if free else None
        constraint = {"verdict": "not determined", "text": "", "reason": "", "limit": "", "boundary": shape["boundary"], "devices": 0, "budgetWatts": None, "drawnWatts": None, "rho": None,
                      "rhoStar": None, "headroom": None, "headroomPeak": None, "breakEvenWatts": None, "breakEvenWattsPeak": None}
        if shape["envelope"]:
            watts, at, n = shape["envelope"]
            if at == "facility":
                watts, at = watts / pue, "node"
            chosen = uncapped(good(c, at)) or good(c, at)
            m = nest(seen((d, math.log(s[0] / s[1])) for d, s in chosen), n0)
            drawn, budget = math.exp(m[0]), watts / n
            lo, hi = interval(math.log(budget) - m[0], m[3], m[4], 0.05, t[2])
            e_there = math.exp(nest(seen((d, math.log(s[0] / BATCH)) for d, s in chosen), n0)[0])
            constraint.update(boundary=at, devices=n, budgetWatts=budget, drawnWatts=drawn, rho=budget / k_eff, rhoStar=e_there / c_tok,
                              headroom={"value": budget / drawn, "low": lo, "high": hi, "scope": m[1], "units": m[2]}, headroomPeak=budget / drawn * k_eff / PEAK,
                              breakEvenWatts=n * drawn, breakEvenWattsPeak=n * drawn * PEAK / k_eff)
        legs = [leg for d, _ in pairs for leg in d["legs"] if leg["layers"] > 0]
        provenance = max((leg["node"]["provenance"] if shape["boundary"] == "node" else leg["gpu"]["provenance"] for leg in legs), key=rank.index)
        invalidations = {}
        for d in documents:
            if (d["trial"]["group"], d["trial"]["label"]) == key:
                told = ["its pass was voided"] if (c["group"], d["trial"]["block"], d["trial"]["pass"]) in void else [] if d["outcome"] == "valid" else d["reasons"]
                for reason in told[:1]:
                    invalidations[reason] = invalidations.get(reason, 0) + 1
        dropped = len(usable(c)) - len(pairs)
        if dropped:
            invalidations["the slope over L' is not positive"] = dropped
        per_second = rate / MODEL_LAYERS
        step = 1000 * BATCH * MODEL_LAYERS / rate
        decode = per_second / (BANDWIDTH / (2 * MODEL_LAYERS * wb))
        base = COST.get(next((w[0] for w in [next(g for g in shape["groups"] if g[0] == c["group"])[2]])), (1.0,) * 5)
        price = shape["cost"]
        rows[key] = {
            "label": c["label"], "twinOf": c["twin"], "configuration": {"workload": c["workload"], "weights": c["weights"], "batch": BATCH, "context": 4096, "modelWidth": 8192, "heads": 64,
                              "keyValueHeads": 64, "feedForwardWidth": 22016, "modelLayers": MODEL_LAYERS, **layers_of(c["workload"]), "vocabulary": c["vocabulary"], "stack": "cuda",
                              "dataSeed": 1, "data": "normal"}, "configurationSha256": c["sha"],
            "cost": {"parameters": parameters, "weightBytes": wb, "stateBytes": sb, "weightFlops": wf, "attentionFlops": af, "residentBytes": bytes_, "bytes": bytes_, "flops": flops},
            "tokenKind": "token-equivalent", "tokens": sum(leg["tokens"] for leg in legs), "boundary": shape["boundary"], "estimator": "slope over L'",
            "joulesPerTokenLayer": {"value": math.exp(value), "low": low, "high": high, "scope": scope, "units": units}, "uncertainty": uncertainty(se, nu, t), "netJoulesPerTokenLayer": net,
            "interceptJoulesPerStep": nest(seen((d, s[2]) for d, s in pairs), n0)[0] if pairs[0][1][2] is not None else None, "linearity": linearity,
            "headJoulesPerToken": {"value": head("gpu"), "estimator": "the head's leg", "reason": None if c["vocabulary"] else "it was not run"},
            "projectedJoulesPerToken": {b: {"value": v, "estimator": "L · slope", "reason": None} for b, v in projected.items()}, "boundaryNotes": {}, "ratio": None,
            "passes": len(pairs), "devices": len({(d["host"], u) for d, _ in pairs for u in d["devices"]}), "nodes": len({d["host"] for d, _ in pairs}),
            "spread": components(seen((d, math.log(s[0] / BATCH)) for d, s in pairs)), "invalidations": invalidations, "kEffRealized": k_eff, "kEffPeak": PEAK, "flopsPerTokenLayer": c_tok,
            "tokenLayersPerSecond": rate, "wattsPerDevice": math.exp(value) * rate, "achievedOverFloor": BATCH / rate / max(bytes_ / BANDWIDTH, flops / PEAK), "constraint": constraint,
            "ceilings": ["hbm"],
            "phi": {"phi_mem": {"value": pairs[0][1][3][-1][0] * bytes_ / (average(s[3][-1][2] for _, s in pairs) * BANDWIDTH)}, "phi_mem_paper": {"value": decode}, "phi_decode": {"value": decode},
                    "phi_comp": {"value": (base[3] + base[4]) / flops if c["group"] == "dense" else None}, "phi_system": {"value": None}, "phi_prefill": {"value": None, "estimator": "none", "reason": "not estimated"}},
            "utilization": {"value": None, "reason": "not applicable"}, "projectedTokensPerSecond": per_second, "projectedStepMilliseconds": step, "serviceMilliseconds": shape["service_ms"],
            "serviceStatistic": "mean", "meetsService": step <= shape["service_ms"], "quality": "none",
            "pueAdjustedJoulesPerToken": {"value": projected.get("facility")},
            "costPerMillionTokens": 1e6 * (price[0] * projected["facility"] / 3.6e6 + price[1]) if price and "facility" in projected else None, "currency": price[2] if price else None,
            "coverage": min((leg["node"] if shape["boundary"] == "node" else leg["gpu"])["coveredSeconds"] / leg["windowSeconds"] for leg in legs),
            "meanWatts": average(sum(x["gpu"]["joules"] for x in d["legs"] if x["layers"]) / sum(x["gpu"]["coveredSeconds"] for x in d["legs"] if x["layers"]) / len(d["devices"]) for d, _ in pairs),
            "powerCapFraction": max(leg["powerCapFraction"] for leg in legs), "flags": [], "provenance": provenance, "absent": {},
        }
        if shape.get("format", 3) > 3:
            m = nest(seen((d, math.log(time_of(c, d, s))) for d, s in pairs), n0)
            low, high = interval(m[0], m[3], m[4], 0.05, 0.0)
            rows[key]["secondsPerTokenLayer"] = {"value": math.exp(m[0]), "low": low, "high": high, "scope": m[1], "units": m[2]}
        if c["model"]:
            rows[key].update(served_row(c, rows[key], pairs, lambda told: nest(seen(told), n0)[0]))
    for key, row in rows.items():
        reference = rows.get((key[0], "A"))
        if reference and row["cost"]["parameters"] and abs(row["cost"]["parameters"] / reference["cost"]["parameters"] - 1) <= 1e-3:
            row["phi"]["phi_system"]["value"] = reference["joulesPerTokenLayer"]["value"] / row["joulesPerTokenLayer"]["value"]

    # Ratios
    found, readings, times = {}, {}, {}
    for group, baseline, _ in shape["groups"]:
        for c in cells:
            if c["group"] == group and baseline and c["label"] != baseline:
                mine, theirs = used[group, c["label"]], used[group, baseline]
                both = [(x, y) for x in mine for y in theirs if (x[0]["host"], x[0]["devices"], x[0]["trial"]["pass"]) == (y[0]["host"], y[0]["devices"], y[0]["trial"]["pass"])]
                read = nest(seen((x[0], math.log(x[1][0]) - math.log(y[1][0])) for x, y in both), n0)
                m = (*read[:3], *widest(group, [(x[0], math.log(x[1][0]) - math.log(y[1][0]), own_sensitivity(*x), own_sensitivity(*y)) for x, y in both]))
                t = terms(group, sensitivities([x for x, _ in both]), sensitivities([y for _, y in both]), 0.0)
                p = None if m[3] is None else tail(abs(m[0]) / m[3] - t[2] / m[3], m[4]) + tail(abs(m[0]) / m[3] + t[2] / m[3], m[4])
                found[group, c["label"]] = (baseline, m, t, p, c["twin"])
                times[group, c["label"]] = nest(seen((x[0], math.log(time_of(c, *x) / time_of(c, *y))) for x, y in both), n0)
                readings[group, c["label"]] = read
    family = sorted((f[3], key) for key, f in found.items() if f[4] is None and f[3] is not None)
    adjusted, top = {}, 0.0
    for i, (p, key) in enumerate(family):
        top = max(top, min(1.0, (len(family) - i) * p))
        adjusted[key] = top
    half, test = None, None
    if shape["aa"]:
        of, twin = shape["aa"][1], f"{shape['aa'][1]} (twin)"
        m = readings[shape["aa"][0], twin]
        narrow, half = m[3] * cv(0.1, m[4], 0.0), m[3] * cv(0.05, m[4], 0.0)
        test = {"label": of, "twin": twin, "ratio": {"value": math.exp(m[0]), "low": math.exp(m[0] - narrow), "high": math.exp(m[0] + narrow), "scope": m[1], "units": m[2]},
                "delta": shape["aa"][2], "passed": m[0] - narrow >= -shape["aa"][2] and m[0] + narrow <= shape["aa"][2], "halfWidth95": half}
    for key, (baseline, m, t, p, twin) in found.items():
        row, base = rows[key], rows[key[0], baseline]
        low, high = interval(m[0], m[3], m[4], 0.05, t[2])
        joint = interval(m[0], m[3], m[4], 0.05 / len(family), t[2]) if twin is None else (None, None)
        apart = 0.0 if half is None or test["passed"] else abs(math.log(test["ratio"]["value"]))
        resolution = None if half is None else max(apart + half, 2 * t[1])
        if row["provenance"] != "measured" or base["provenance"] != "measured":
            standing = "notMeasured"
        elif not row["meetsService"] or not base["meetsService"]:
            standing = "outsideOperatingPoint"
        else:
            left_out = any("the slope over L' is not positive" in r["invalidations"] for r in (row, base))
            standing = "resolved" if twin is None and resolution is not None and abs(m[0]) > resolution and adjusted[key] <= 0.05 and not left_out else "notResolved"
        row["ratio"] = {"baseline": baseline, "ratio": {"value": math.exp(m[0]), "low": low, "high": high, "scope": m[1], "units": m[2]}, "simultaneousLow": joint[0], "simultaneousHigh": joint[1],
                        "uncertainty": uncertainty(m[3], m[4], t), "pValue": p, "holmPValue": adjusted.get(key), "resolution": resolution, "resolutionFrom": shape["aa"][0] if shape["aa"] else None,
                        "standing": standing, "standingReason": "", "achievedOverFloor": row["achievedOverFloor"] / base["achievedOverFloor"] if row["achievedOverFloor"] else None, "confounds": [], "resolved": standing == "resolved"}
        if shape.get("format", 3) > 3:
            m = times[key]
            low, high = interval(m[0], m[3], m[4], 0.05, 0.0)
            row["ratio"]["timeRatio"] = {"value": math.exp(m[0]), "low": low, "high": high, "scope": m[1], "units": m[2]}
    for row in rows.values():
        row["absent"] = {k: "it was not measured" for k, v in row.items() if v is None and k not in ("twinOf", "currency")}
        row["absent"].update({f"serving.{k}": "the engine does not tell" for k, v in (row.get("serving") or {}).items() if v is None})
    panels = []
    if shape.get("panels", len(shape["groups"]) > 1):
        def whole(g, label):
            return rows[g, label]["projectedJoulesPerToken"]["gpu"]["value"]
        panels = [{"title": "as printed", "rows": [{"group": g, "label": x, "projectedJoulesPerToken": whole(g, x), "unmatchedRatio": whole(g, x) / whole("dense", "A"),
                                                    "publishedJoulesPerToken": printed, "notes": ["layers and head"]} for g, x, printed in (("dense", "C", 1.2), ("alone", "K", None))]}]
    return {
        "format": shape.get("format", 3), "sweep": SWEEP, "plan": "made", "planSha256": PLAN_SHA, "generatedUtc": "2026-11-30T01:00:00+00:00", "complete": True,
        "provenance": max((r["provenance"] for r in rows.values()), key=rank.index), "disclosure": manifest["disclosure"],
        "ranOn": {"devices": len({(d["host"], u) for d in documents if d["outcome"] == "valid" for u in d["devices"]}), "nodes": len({d["host"] for d in documents if d["outcome"] == "valid"}), "racks": 1, "models": ["H100-SXM-80GB"], "drivers": ["575.1"],
                  "powerLimitsWatts": [700], "devicesDisclosed": sum(len(b[1]) for b in shape["blocks"]), "difference": ""},
        "family": len(family),
        "groups": [{"name": g, "baseline": baseline, "hardware": "H100-SXM-80GB",
                    "sensor": {"offsetWatts": sensors[g][0], "nonLinearityWatts": sensors[g][1], "ratedWatts": None if shape.get("declared") else RATED, "alias": sensors[g][2],
                               "counterResidual": sensors[g][3], "gain": gain, "source": ""},
                    "rows": [rows[g, c["label"]] for c in cells if c["group"] == g], "repeatability": test if shape["aa"] and shape["aa"][0] == g else None,
                    "replication": {"units": "nodes", "firstStage": n0, "required": n0, "reached": n0, "verdict": "reached"},
                    "voidedPasses": sum(1 for v in void if v[0] == g)} for g, baseline, _ in shape["groups"]],
        "panels": panels, "facility": facility, "closure": [{"level": "node", "upperJoules": 200.0, "lowerJoules": 150.0, "fraction": 0.25}], "checklist": [], "notes": [],
    }


def served_row(c, row, pairs, nested):
    """What the row of a serving engine has instead of a decode step's. Of the figures that its rows may leave out, some stand."""
    engine = served.ENGINES[c["model"]]
    serving, met = served.row(nested, [(d, s[0]) for d, s in pairs], ENGINE_STATISTIC, ENGINE_LIMITS, (row["joulesPerTokenLayer"], row["secondsPerTokenLayer"]), row["netJoulesPerTokenLayer"])
    shape = dict.fromkeys(("context", "modelWidth", "heads", "keyValueHeads", "feedForwardWidth", "vocabulary"), 0)
    configuration = {"workload": "serve", **shape, "batch": 1, "modelLayers": 1, "shortLayers": 1, "longLayers": 1, "stack": "llama-server", "dataSeed": 1,
                     "serve": {"model": c["model"], "parameters": engine["parameters"], "load": {"arrivals": "closed", "concurrency": 3}, "prompts": {"sharedShare": 0}, "generation": {"api": "completions"}}}
    constraint = {k: None if k in ("rho", "rhoStar", "headroomPeak", "breakEvenWattsPeak") else v for k, v in row["constraint"].items()}
    return {"configuration": configuration, "cost": dict.fromkeys(row["cost"]), "tokenKind": "token", "estimator": "one L', intercept included",
            "joulesPerTokenLayer": {"value": None, "low": None, "high": None, "scope": "none", "units": 0}, "secondsPerTokenLayer": None, "netJoulesPerTokenLayer": None, "serving": serving,
            "meetsService": met, "serviceMilliseconds": ENGINE_LIMITS[0], "serviceStatistic": ENGINE_STATISTIC, "kEffRealized": None, "flopsPerTokenLayer": None, "achievedOverFloor": None,
            "projectedTokensPerSecond": None, "projectedStepMilliseconds": None, "projectedJoulesPerToken": {}, "pueAdjustedJoulesPerToken": {"value": None}, "costPerMillionTokens": None,
            "constraint": constraint, "phi": {}}


ESTIMATE = ("value", "low", "high", "scope", "units")
UNCERTAINTY = ("standardError", "degreesOfFreedom", "offsetTerm", "nonLinearityTerm", "aliasTerm", "counterTerm", "gainTerm", "typeB", "bound")
# column prefix, members of the row that stand there in turn
COLUMNS = [
    ("", "label twinOf provenance"), ("configuration", "workload weights batch context modelWidth heads keyValueHeads feedForwardWidth modelLayers shortLayers middleLayers longLayers vocabulary stack data dataSeed"),
    ("", "configurationSha256"), ("cost", "parameters weightBytes stateBytes bytes weightFlops attentionFlops flops residentBytes"), ("", "tokenKind tokens boundary estimator"),
    ("joulesPerTokenLayer", ESTIMATE), ("uncertainty", UNCERTAINTY), ("netJoulesPerTokenLayer", ESTIMATE), ("", "interceptJoulesPerStep"), ("linearity.departure", ESTIMATE),
    ("linearity", "layers straight"), ("", "coverage meanWatts powerCapFraction"), ("ratio.ratio", ESTIMATE), ("ratio", "simultaneousLow simultaneousHigh"), ("ratio.uncertainty", UNCERTAINTY),
    ("ratio", "pValue holmPValue resolution resolutionFrom standing standingReason achievedOverFloor confounds"),
    ("", "tokenLayersPerSecond wattsPerDevice achievedOverFloor flopsPerTokenLayer kEffRealized kEffPeak projectedTokensPerSecond projectedStepMilliseconds serviceMilliseconds serviceStatistic"
         " meetsService quality"), ("constraint", "verdict text reason limit boundary devices budgetWatts drawnWatts rho rhoStar"), ("constraint.headroom", ESTIMATE),
    ("constraint", "headroomPeak breakEvenWatts breakEvenWattsPeak"), ("", "ceilings passes devices nodes"), ("spread", "pass device node deviceAndNode"), ("", "invalidations flags absent"),
    ("headJoulesPerToken", "value"), ("projectedJoulesPerToken.gpu", "value"), ("phi.phi_mem", "value"),
]
COLUMNS_4 = [
    ("secondsPerTokenLayer", ESTIMATE), ("ratio.timeRatio", ESTIMATE), ("serving.joulesPerToken", ESTIMATE), ("serving.secondsPerToken", ESTIMATE), ("serving.netJoulesPerToken", ESTIMATE),
    ("serving", "joulesPerTotalToken joulesPerRequest outputTokensPerSecond requestsPerSecond"),
    *((f"serving.latencies.{line}", "count meanMilliseconds p50Milliseconds p90Milliseconds p99Milliseconds mostMilliseconds") for line in served.LINES),
    ("serving.goodRequestsPerSecond", "value"), ("serving.goodRequestsPerJoule", "value"),
    ("serving", "cachedShare sent failed meanRunning meanWaiting kvUse addedMilliseconds latenessMilliseconds serviceMilliseconds firstTokenMilliseconds reconciliation versions arguments modelSha256"),
]


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def cells_csv(matrix):
    """cells.csv as docs/results.md has its columns."""
    lines = []
    for group in matrix["groups"]:
        for row in group["rows"]:
            line = {"format": matrix["format"], "sweep": matrix["sweep"], "plan": matrix["plan"], "plan_sha256": matrix["planSha256"], "complete": matrix["complete"],
                    "banner": "MEASURED" if matrix["provenance"] == "measured" else "MODELLED", "group": group["name"], "hardware": group["hardware"], "baseline": group["baseline"]}
            for prefix, names in COLUMNS + (COLUMNS_4 if matrix["format"] > 3 else []):
                node = row
                for step in prefix.split(".") if prefix else []:
                    node = (node or {}).get(step)
                head = {"configuration": "", "ratio.ratio": "ratio_", "phi.phi_mem": "phi_mem_"}.get(prefix, "".join(snake(p) + "_" for p in prefix.split(".") if p))
                for name in names.split() if isinstance(names, str) else names:
                    line[head + snake(name)] = (node or {}).get(name)
            lines.append({k: _field(v) for k, v in line.items()})
    out = io.StringIO()
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()


def _field(v):
    if v is None:
        return ""
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        return repr(v)
    return "; ".join(v) if isinstance(v, list) else "; ".join(f"{a}: {b}" for a, b in v.items()) if isinstance(v, dict) else v
