"""Verification: what was read, against figures of our own.

Numbers agree within 1e-9 of the larger one. A member that is a difference of near equals loses digits to rounding, down to nothing where it is zero; such members have a scale, the size of what was
subtracted: 1 for shares, probabilities and differences of logarithms (`SCALE_ONE`), a step's energy for an intercept. They agree within 1e-12 of their scale too. Everything that is no number is
compared exactly. Latencies of serving engines are kept in histograms: they agree within 0.1 % and 1 µs.
"""

from __future__ import annotations

import math
import re
from typing import Any

from . import matrix
from .directory import Directory, Finding, open_directory, passes
from .evidence import PROVENANCES, Trial
from .flat import csv_differences
from .matrix import Unknown
from .reading import MANIFEST, shown
from .serving import LATENCIES, STATISTICS, Served, is_reconciled

RELATIVE = 1e-9
TINY = 1e-12
HISTOGRAM, MICROSECOND = 1e-3, 1e-3
SCALE_ONE = frozenset((
    "standardError", "offsetTerm", "nonLinearityTerm", "aliasTerm", "counterTerm", "gainTerm", "typeB", "bound", "pValue", "holmPValue", "pass", "device", "node", "deviceAndNode",
    "counterResidual", "powerCapFraction", "thermalFraction", "halfWidth95", "resolution", "departure.value", "departure.low", "departure.high"))

# Members of matrix.json that are words, identity or measured elsewhere: why they are not computed here. By the last member's name.
NOT_COMPUTED = {
    "generatedUtc": "an instant of the silo's clock",
    "complete": "what makes a matrix complete is not computed here",
    "cost": "parameters, bytes and FLOP follow from the catalogue of workloads, not from the sweep; all that is computed from them is checked",
    "closure": "the meters' sums over the sweep are not in the files; their residual is checked",
    "replication": "it says what was planned, not what was found",
    "quality": "words", "tokenKind": "words", "estimator": "words", "reason": "words", "standingReason": "words", "confounds": "words", "text": "words", "verdict": "words",
    "limit": "words", "flags": "words", "notes": "words", "checklist": "words", "boundaryNotes": "words", "ceilings": "words", "absent": "words", "hardware": "words", "source": "words",
    "difference": "words", "missingMeters": "words", "edition": "words",
    "load": "how the plan's short words come to it is not in docs/results.md", "prompts": "how the plan's short words come to it is not in docs/results.md",
    "generation": "how the plan's short words come to it is not in docs/results.md", "reconciliation": "words", "arguments": "words",
    "utilization": "never estimated for these workloads", "phi_prefill": "never estimated", "phi_route": "never estimated", "phi_sched": "never estimated",
}
NEVER_ESTIMATED = ("utilization", "phi_prefill", "phi_route", "phi_sched")
# Of a row of a serving engine: made as a decode step's are, or null.
OF_DECODE_STEPS = ("tokenLayersPerSecond", "wattsPerDevice", "kEffPeak", "projectedTokensPerSecond", "projectedStepMilliseconds", "projectedJoulesPerToken", "pueAdjustedJoulesPerToken",
                   "costPerMillionTokens", "currency", "constraint", "phi")
# Members of documents that came with format 4.
OF_FORMAT_4 = ("secondsPerTokenLayer", "serving", "timeRatio")
# Of a trial.
NOT_IN_EVIDENCE = (
    ("legs[].gpu and node: lowGapJoules, highGapJoules, edgeUncertaintyJoules, method; node: provenance", "rated limits and read latencies are not in the files"),
    ("legs[].sameCellGpus", "which other trials ran at the same time on the node is not in the evidence"),
    ("legs[].warmupSeconds, meanCelsius, meanMegahertz, p50StepSeconds, p99StepSeconds, flags", "stated by the node; no figure rests on them"),
    ("trials: times, temperature, power limit, driver, model, place", "stated by the node"),
    ("step marks and counter readings themselves", "no file can show that they were read; only what follows from them is computed"),
)

NOT_IN_REQUESTS = (
    ("served: version, arguments, modelSha256, launched", "what answered is stated by the node"),
    ("served: meanRunning, meanWaiting, kvUse", "the engine's own words; the looks at them are not in the files"),
    ("served: addedMilliseconds", "the stream that tells it is not in the files"),
    ("served.account: engineTokens, engineCounter", "the engine's counter is not in the files; that it agrees with the requests is checked"),
    ("requests: prompts, seeds and lengths", "they are not in the files; only what is counted of them is"),
)


def verify(path: str) -> Directory:
    """Reads the directory and compares all it can. Raises Damaged only if there is no directory."""
    d = open_directory(path)
    try:
        _passes(d)
        _witnesses(d)
        _trial_figures(d)
        computed = compute(d)
        _matrix(d, computed)
    except (ArithmeticError, ValueError) as error:
        d.wrong("trials.ndjson", "", f"the figures cannot be computed from these numbers: {shown(error)}")
    return d


def compute(d: Directory) -> dict[str, Any] | None:
    return None if d.inputs is None else matrix.build(d.inputs)


# Numbers

def agree(ours: float, theirs: float, scale: float = 0.0) -> bool:
    largest = max(abs(ours), abs(theirs))
    return ours == theirs or abs(ours - theirs) <= max(RELATIVE * largest, TINY * scale)


def difference(ours: float, theirs: float) -> float:
    largest = max(abs(ours), abs(theirs))
    return abs(ours - theirs) / largest if largest > 0 and math.isfinite(largest) else math.inf


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _scale(path: str) -> float:
    parts = path.split(".")
    return 1.0 if parts[-1] in SCALE_ONE or ".".join(parts[-2:]) in SCALE_ONE else 0.0


def _generic(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


class _Comparison:
    """Walks a document of theirs beside ours."""

    def __init__(self, directory: Directory, file: str, scales: dict[str, float] | None = None):
        self.d, self.file, self.scales = directory, file, scales or {}

    def compare(self, ours: Any, theirs: Any, path: str) -> None:
        if isinstance(ours, Unknown):
            if theirs is not None and theirs != {"value": None}:
                self.d.skip(f"{self.file}: {_generic(path)}", ours.reason)
        elif isinstance(ours, dict):
            self._objects(ours, theirs, path)
        elif isinstance(ours, list):
            self._lists(ours, theirs, path)
        elif ours is None or theirs is None:
            if _absent(ours) and _absent(theirs):
                self.d.count("numbers")
            else:
                self._differs(ours, theirs, path)
        elif _is_number(ours) and _is_number(theirs):
            if type(ours) is int and ours != theirs or not agree(ours, theirs, self.scales.get(path, _scale(path))):
                self.d.wrong(self.file, path, "differs", ours, theirs, difference(ours, theirs))
            self.d.count("numbers")
        elif type(ours) is type(theirs):
            if ours != theirs:
                self._differs(ours, theirs, path)
            self.d.count("words and counts")
        else:
            self._differs(ours, theirs, path)

    def _differs(self, ours: Any, theirs: Any, path: str) -> None:
        self.d.wrong(self.file, path, "differs", ours, theirs)

    def _objects(self, ours: dict[str, Any], theirs: Any, path: str) -> None:
        if not isinstance(theirs, dict):
            if theirs is None and _absent(ours):
                return
            self._differs(_summary(ours), theirs, path)
            return
        for name, value in ours.items():
            at = f"{path}.{name}" if path else name
            if name in theirs:
                self.compare(value, theirs[name], at)
            elif not _absent(value) and not isinstance(value, Unknown):
                self.d.wrong(self.file, at, "is missing", _summary(value), None)
        for name, value in theirs.items():
            if name not in ours and path.endswith(".invalidations"):
                self.d.wrong(self.file, f"{path}.{shown(name)}", "is not so", 0, value)
            elif name not in ours and path.endswith(".serve.parameters"):
                self.d.wrong(self.file, f"{path}.{shown(name, 60)}", "is not in the plan", None, _summary(value))
            elif name not in ours:
                self.skip(name, value, f"{path}.{shown(name, 40)}" if path else shown(name, 40))

    def skip(self, name: str, value: Any, path: str) -> None:
        if value is None or value == [] or value == {}:
            return
        if name in NEVER_ESTIMATED and not _absent(value):
            self.d.wrong(self.file, path, "has a value, and it is never estimated")
            return
        self.d.skip(f"{self.file}: {_generic(path)}", NOT_COMPUTED.get(name, "docs/results.md does not say how it is made"))

    def _lists(self, ours: list[Any], theirs: Any, path: str) -> None:
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            self._differs(f"{len(ours)} entries", f"{len(theirs)} entries" if isinstance(theirs, list) else theirs, path)
            return
        for i, (a, b) in enumerate(zip(ours, theirs)):
            self.compare(a, b, f"{path}[{i}]")


def _absent(value: Any) -> bool:
    """null, or a figure or estimate without a value."""
    return value is None or isinstance(value, dict) and "value" in value and value["value"] is None


def _summary(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("value", "an object") if _is_number(value.get("value")) else "an object"
    return value


# Passes and events

def _passes(d: Directory) -> None:
    if d.manifest is None:
        return
    by_pass: dict[tuple[str, int, int], dict[str, Trial]] = {}
    for t in d.inputs.trials if d.inputs is not None else d.trials:
        by_pass.setdefault((t.group, t.block, t.pass_number), {})[t.label] = t
    known = {}
    for group, block, number, state, devices in passes(d):
        key, name = (group, block, number), f"pass {number} of block {block} in {shown(group, 40)}"
        if key in known:
            d.wrong(MANIFEST, "passes", f"{name} is listed twice")
        known[key] = state
        if state not in ("open", "done", "void"):
            d.wrong(MANIFEST, "passes", f"{name} is {shown(state, 30)}, which no pass can be")
        elif state == "open" and d.format >= 3 and d.manifest.get("phase") == "finished":
            d.wrong(MANIFEST, "passes", f"{name} is open, and the sweep has finished")
        found = by_pass.get(key, {})
        for t in found.values():
            if [f"{t.host}/{uuid}" for uuid in t.devices] != devices:
                d.wrong("trials.ndjson", f"line {t.line}", f"the trial {shown(t.name)} ran on {shown(t.device_group, 80)}; the manifest gives its pass other devices")
        planned = next((g for g in d.plan.groups if g.name == group), None) if d.plan is not None else None
        if planned is None:
            if d.plan is not None:
                d.wrong(MANIFEST, "passes", f"{name}: the plan has no such group")
            continue
        if state == "done":
            for cell in planned.cells:
                if cell.label not in found:
                    d.wrong("trials.ndjson", "", f"{name} is done, but it has no trial of {shown(cell.label, 40)}")
            d.count("passes")
    _void(d, sum(1 for state in known.values() if state == "void"))
    for key in sorted(set(by_pass) - set(known)):
        d.wrong("trials.ndjson", "", f"pass {key[2]} of block {key[1]} in {shown(key[0], 40)} has trials, but the manifest does not list it")


def _void(d: Directory, count: int) -> None:
    """A void pass has an event of kind `void`. How such an event names its pass is not said, so that they are only counted."""
    told = {str(e.get("key") or f"{e['sequence']}") for e in d.events if e["kind"] == "void" and (d.snapshot_events is None or e["sequence"] < d.snapshot_events)}
    if (silent := count - len(told)) > 0:
        d.skip("trials of void passes", f"{silent} {'pass is' if silent == 1 else 'passes are'} void and no event says why: the trials of them are left out on the manifest's word")


def _witnesses(d: Directory) -> None:
    """An event whose key is `trial/` and a trial's name says that it was committed and is not valid: a second witness of what is easiest left out."""
    told = [e for e in d.events if e["kind"] == "trial" and str(e.get("key", "")).startswith("trial/")]
    if not told:
        d.skip("events as a second witness of the trials", "no event names a trial: those of trials that are not valid do")
        return
    outcomes = {t.name: t for t in d.trials}
    for event in told:
        trial = outcomes.get(event["key"][len("trial/"):])
        if trial is None:
            d.wrong("trials.ndjson", "", f"an event tells of a trial that is not there: {shown(event['key'])}")
        elif trial.valid:
            d.wrong("trials.ndjson", f"line {trial.line}", f"is valid, an event says that it is not: {shown(event['text'])}")
        else:
            d.count("events that name a trial")


# Trials

def _trial_figures(d: Directory) -> None:
    if d.format < 3:
        d.skip("energies, coverages, steps, residuals and fractions of the trials", f"format {d.format} does not keep the readings; what the trials say is taken")
        return
    spoiled = sum(1 for t in d.trials if not t.valid)
    if spoiled:
        d.skip("energies of trials that are not valid", "they enter no figure", spoiled)
    for what, why in NOT_IN_EVIDENCE:
        d.skip(what, why)
    if any(t.served is not None for t in d.trials):
        for what, why in NOT_IN_REQUESTS:
            d.skip(what, why)
    batches = {(c.group, c.label): c.batch for g in d.plan.groups for c in g.cells} if d.plan is not None else {}
    wanted = {(c.group, c.label): _layers(c.configuration) for g in d.plan.groups for c in g.cells} if d.plan is not None else {}
    provenances = _energy_provenances(d)
    for t in d.trials:
        if t.valid:
            _provenance(d, t, provenances)
            ran, planned = sorted(leg.layers for leg in t.legs if leg.layers > 0), wanted.get((t.group, t.label))
            if planned and ran != planned:
                d.wrong("trials.ndjson", f"line {t.line}", f"has windows of L' = {ran}, its plan wants {planned}")
            _trial(d, t, batches.get((t.group, t.label)))


def _layers(configuration: dict[str, Any]) -> list[int]:
    """L' of a cell's windows, the head apart."""
    return sorted({configuration[name] for name in ("shortLayers", "middleLayers", "longLayers") if configuration.get(name)})


def _energy_provenances(d: Directory) -> dict[tuple[Any, Any], Any]:
    """What the manifest says of each device's energy, by host and UUID."""
    entries = d.manifest.get("devices") if d.manifest is not None else None
    told = {}
    for i, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and isinstance(entry.get("host"), str) and isinstance(entry.get("uuid"), str):
            told[entry["host"], entry["uuid"]] = word = entry.get("energyProvenance")
            if word is not None and word not in PROVENANCES:
                d.wrong(MANIFEST, f"devices[{i}].energyProvenance", f"is '{shown(word, 30)}'")
    return told


def _provenance(d: Directory, trial: Trial, of_devices: dict[tuple[Any, Any], Any]) -> None:
    """An energy is no better than what its device tells."""
    for uuid in trial.devices:
        device = of_devices.get((trial.host, uuid))
        if of_devices and (trial.host, uuid) not in of_devices:
            d.wrong(MANIFEST, "devices", f"has no {shown(uuid, 80)} of {shown(trial.host, 80)}, and line {trial.line} of trials.ndjson ran on it")
            continue
        if device not in PROVENANCES:
            d.skip("legs[].gpu.provenance against the device's", "the manifest does not say what its devices' energies are")
            continue
        for i, leg in enumerate(trial.legs):
            if PROVENANCES.index(leg.gpu_provenance) < PROVENANCES.index(device):
                d.wrong("trials.ndjson", f"line {trial.line}.legs[{i}].gpu.provenance",
                        f"is {leg.gpu_provenance}, better than the manifest's energyProvenance of {shown(trial.host, 60)}/{shown(uuid, 60)}: {device}")
            d.count("words and counts")


def _trial(d: Directory, trial: Trial, batch: int | None) -> None:
    at = f"line {trial.line}"
    walk = _Comparison(d, "trials.ndjson")
    if not trial.legs:
        d.wrong("trials.ndjson", at, "a valid trial without a leg")
    for i, leg in enumerate(trial.legs):
        where, stated = f"{at}.legs[{i}]", leg.stated
        figures: dict[str, Any] = {
            "windowSeconds": leg.window,
            "steps": leg.steps,
            "gpu": {"joules": leg.gpu_joules, "coveredSeconds": leg.gpu_covered, "expectedSeconds": leg.window, "coverage": leg.gpu_coverage},
            "node": None if leg.node_joules is None else
                {"joules": leg.node_joules, "coveredSeconds": leg.node_covered, "expectedSeconds": leg.window, "coverage": leg.node_coverage},
            "nodeGpuJoules": leg.node_gpu_joules,
            "counterResidual": leg.residual,
            "powerCapFraction": leg.cap_fraction,
            "thermalFraction": leg.thermal_fraction,
        }
        if leg.node_joules is not None:
            figures["nodeGpus"] = leg.node_gpus
        if batch is not None:
            figures["tokens"] = leg.steps * batch
        for name, value in figures.items():
            if isinstance(value, dict):
                for inner, number in value.items():
                    walk.compare(number, stated[name].get(inner), f"{where}.{name}.{inner}")
            else:
                walk.compare(value, stated.get(name), f"{where}.{name}")
        _absences(d, "trials.ndjson", stated, where, ("node",))
        _sources(d, walk, leg.sources, f"{where}.evidence")
        if leg.same_cell_gpus < len(trial.devices) or leg.node_joules is not None and leg.same_cell_gpus > leg.node_gpus:
            d.wrong("trials.ndjson", f"{where}.sameCellGpus", f"{leg.same_cell_gpus} cannot be: the trial ran on {len(trial.devices)} of the node's {leg.node_gpus}")
    if trial.served is not None:
        _served(d, walk, trial, f"{at}.served")
    numbers = {n: trial.stated.get(n) for n in ("powerLimitWatts", "startCelsius", "idleContextWatts")}
    _absences(d, "trials.ndjson", {**numbers, "absent": trial.stated.get("absent")}, at, ())
    walk.compare(trial.idle_watts, trial.stated.get("idleContextWatts"), f"{at}.idleContextWatts")
    _sources(d, walk, trial.idle_sources, f"{at}.idle")


def _served(d: Directory, walk: _Comparison, trial: Trial, at: str) -> None:
    """What a trial says of its serving engine, against its requests and against itself."""
    stated, ours = trial.served, trial.counted
    account = stated.account
    if account.sent != account.ended + account.failed + account.cut_off:
        d.wrong("trials.ndjson", f"{at}.account", f"sent {account.sent} requests, of which {account.ended} ended, {account.failed} failed and {account.cut_off} were cut off")
    if trial.stated["served"]["stack"] != (stack := _stack(d, trial)) and stack is not None:
        d.wrong("trials.ndjson", f"{at}.stack", "is not the plan's", shown(stack), shown(trial.stated["served"]["stack"]))
    most = d.plan.most_client_milliseconds if d.plan is not None else math.inf
    for name, value in (("addedMilliseconds", stated.told.added), ("latenessMilliseconds", stated.lateness)):
        if value is not None and value > most:
            d.wrong("trials.ndjson", f"{at}.{name}", f"is {value:.6g} ms, and the trial is valid; a trial whose client takes more than {most:g} ms is not")
    if account.engine_tokens is None:
        d.skip("trials.ndjson: tokens against the engine's counter", "the engine does not count, or does not say")
    else:
        mine = ours.account if ours is not None else account
        if not is_reconciled(mine.output_tokens, mine.cut_off_most, account.engine_tokens):
            d.wrong("trials.ndjson", f"{at}.account.engineTokens", f"is {account.engine_tokens:.9g}, and the trial is valid; its requests have {mine.output_tokens:.9g} tokens, and at most "
                                                                   f"{mine.cut_off_most:.9g} more")
        d.count("trials against their engine's counter")
    if ours is None:
        d.skip("trials.ndjson: tokens, requests and latencies of serving engines", "the trial's requests could not be read; they were taken as they stand")
        return
    for name, value, theirs in (
            ("promptTokens", ours.prompt_tokens, stated.prompt_tokens), ("cachedTokens", ours.cached_tokens, stated.cached_tokens), ("endedRequests", ours.ended_requests, stated.ended_requests),
            ("tokenTiming", ours.timing, stated.timing), ("account.sent", ours.account.sent, account.sent), ("account.ended", ours.account.ended, account.ended),
            ("account.failed", ours.account.failed, account.failed), ("account.cutOff", ours.account.cut_off, account.cut_off),
            ("account.outputTokens", ours.account.output_tokens, account.output_tokens), ("account.cutOffMost", ours.account.cut_off_most, account.cut_off_most),
            ("account.tokenIds", ours.account.token_ids, account.token_ids)):
        walk.compare(value, theirs, f"{at}.{name}")
    if ours.good_requests is not None:
        walk.compare(ours.good_requests, stated.good_requests, f"{at}.goodRequests")
    _latencies(d, walk, ours, stated, at)


def _stack(d: Directory, trial: Trial) -> str | None:
    group = next((g for g in d.plan.groups if g.name == trial.group), None) if d.plan is not None else None
    cell = None if group is None else group.cell(trial.label)
    return None if cell is None else cell.configuration.get("stack")


def _latencies(d: Directory, walk: _Comparison, ours: Served, stated: Served, at: str) -> None:
    pairs = [("latenessMilliseconds", ours.lateness, stated.lateness)]
    for name in LATENCIES:
        mine, theirs = ours.latencies[name], stated.latencies[name]
        walk.compare(mine.count, theirs.count, f"{at}.latencies.{name}.count")
        pairs += [(f"latencies.{name}.{statistic}", getattr(mine, field), getattr(theirs, field))
                  for statistic in STATISTICS for field in (statistic.removesuffix("Milliseconds"),)]
    for name, mine, theirs in pairs:
        if mine is None or theirs is None:
            walk.compare(mine, theirs, f"{at}.{name}")
        elif abs(mine - theirs) > HISTOGRAM * max(abs(mine), abs(theirs)) + MICROSECOND:
            d.wrong("trials.ndjson", f"{at}.{name}", "differs by more than a histogram does", mine, theirs, difference(mine, theirs))
        else:
            d.count("numbers")


def _sources(d: Directory, walk: _Comparison, energies: Any, where: str) -> None:
    for i, energy in enumerate(energies):
        s = energy.source
        for name, ours, stated in (("joules", energy.joules, s.joules), ("coveredSeconds", energy.covered, s.covered), ("powerJoules", energy.power_joules, s.power_joules)):
            if name in energy.taken:
                d.skip(f"trials.ndjson: {name} of integrated power", "the trial's trace was not kept, or does not hold the source; it was taken as it stands")
            else:
                walk.compare(ours, stated, f"{where}.sources[{i}].{name}")
        if "wrappedJoules" in energy.taken:
            d.skip("trials.ndjson: how often counters wrapped", "the trial's trace was not kept, or does not hold the source; only that it is a whole number was seen")


# Matrix

def _matrix(d: Directory, computed: dict[str, Any] | None) -> None:
    if d.matrix is None:
        if d.live:
            d.skip("matrix.json and cells.csv", "the sweep is live: they are written when it ends")
        else:
            d.skip("figures", "there is no matrix.json to compare with")
        return
    for name, of in (("format", d.format), ("sweep", d.sweep), ("planSha256", (d.manifest or {}).get("planSha256")), ("plan", (d.manifest or {}).get("plan"))):
        if of is not None and d.matrix.get(name) != of:
            d.wrong("matrix.json", name, "differs from the manifest", of, _summary(d.matrix.get(name)))
    if d.manifest is not None and d.matrix.get("disclosure") != d.manifest.get("disclosure"):
        d.wrong("matrix.json", "disclosure", "differs from the manifest's")
    if computed is None:
        d.skip("figures of matrix.json", "the plan could not be read")
    elif d.format < 3:
        _older(d, computed)
    else:
        _current(d, computed)
    if d.cells is not None:
        csv_differences(d)


def _rows(d: Directory, computed: dict[str, Any]) -> list[tuple[dict, dict, dict, dict, str]]:
    """(our group, their group, our row, their row, path), by name; what has no counterpart is told."""
    pairs = []
    theirs = d.matrix.get("groups")
    if not isinstance(theirs, list) or not all(isinstance(g, dict) and isinstance(g.get("rows"), list) and all(isinstance(r, dict) for r in g["rows"]) for g in theirs):
        d.wrong("matrix.json", "groups", "is not a list of groups with rows")
        return []
    if [g["name"] for g in computed["groups"]] != [g.get("name") for g in theirs]:
        d.wrong("matrix.json", "groups", "are not the groups of the plan")
    for g, their_group in enumerate(theirs):
        our_group = next((x for x in computed["groups"] if x["name"] == their_group.get("name")), None)
        if our_group is None:
            continue
        labels = [r.get("label") for r in their_group["rows"]]
        if [r["label"] for r in our_group["rows"]] != labels:
            d.wrong("matrix.json", f"groups[{g}].rows", f"are not the cells of the plan: {shown(labels)}")
        for r, their_row in enumerate(their_group["rows"]):
            our_row = next((x for x in our_group["rows"] if x["label"] == their_row.get("label")), None)
            if our_row is not None:
                pairs.append((our_group, their_group, our_row, their_row, f"groups[{g}].rows[{r}]"))
    return pairs


def _current(d: Directory, computed: dict[str, Any]) -> None:
    pairs = _rows(d, computed)
    walk = _Comparison(d, "matrix.json")
    for _, _, ours, theirs, path in pairs:
        value, per_step = ours["joulesPerTokenLayer"]["value"], ours.get("interceptJoulesPerStep")
        if value is not None and per_step is not None:
            walk.scales[f"{path}.interceptJoulesPerStep"] = abs(value) + abs(per_step)
        of_format = _of_format(d, ours, theirs, path)
        walk.compare(of_format if of_format.get("serving") is None else _as_served(d, of_format, theirs, path), theirs, path)
        _cost(d, theirs, path)
        _absences(d, "matrix.json", theirs, path, ("twinOf", "currency", "meetsService", "provenance", "serving"))
    for g, theirs in enumerate(d.matrix.get("groups") if pairs else []):
        ours = next((x for x in computed["groups"] if x["name"] == theirs.get("name")), None)
        if ours is not None:
            walk.compare({k: v for k, v in ours.items() if k != "rows"}, {k: v for k, v in theirs.items() if k != "rows"}, f"groups[{g}]")
    top = {k: v for k, v in computed.items() if k != "groups"}
    _panels(d, top)
    top.update({k: d.matrix.get(k) for k in ("format", "sweep", "planSha256", "disclosure")})
    top["facility"] = {**d.facility, "name": "ipue", "category": d.plan.pue_category} if d.facility is not None else None
    walk.compare(top, {k: v for k, v in d.matrix.items() if k != "groups"}, "")
    _closure(d)


def _of_format(d: Directory, ours: dict[str, Any], theirs: dict[str, Any], path: str) -> dict[str, Any]:
    """Our row as its format has it; told where a row has what its format has not."""
    if d.format >= 4:
        return ours
    inner = theirs.get("ratio")
    for at, owner in ((path, theirs), (f"{path}.ratio", inner if isinstance(inner, dict) else {})):
        for name in OF_FORMAT_4:
            if owner.get(name) is not None:
                d.wrong("matrix.json", f"{at}.{name}", f"is there, and format {d.format} has none")
    row = {k: v for k, v in ours.items() if k not in OF_FORMAT_4}
    if row["ratio"] is not None:
        row["ratio"] = {k: v for k, v in row["ratio"].items() if k not in OF_FORMAT_4}
    return row


def _as_served(d: Directory, ours: dict[str, Any], theirs: dict[str, Any], path: str) -> dict[str, Any]:
    """Our row of a serving engine, less the figures of decode steps that theirs leaves out and what is in another order; absences and words of `serving`."""
    row = dict(ours)
    for name in OF_DECODE_STEPS:
        row[name] = _where_told(d, ours[name], theirs.get(name), path)
    serving, told, absent = dict(ours["serving"]), theirs.get("serving"), theirs.get("absent")
    if isinstance(told, dict):
        for name in ("versions", "modelSha256"):
            mine, words = {w for w in serving[name] if w}, told.get(name)
            if not isinstance(words, list) or not all(isinstance(w, str) for w in words) or {w for w in words if w} != mine or len(set(words)) != len(words):
                d.wrong("matrix.json", f"{path}.serving.{name}", "are not those of the trials, each once", shown("; ".join(sorted(mine))), shown(words))
            # In which order they stand is not said.
            serving[name] = words
        _serving_absences(d, told, absent if isinstance(absent, dict) else {}, path)
    row["serving"] = serving
    return row


def _where_told(d: Directory, ours: Any, theirs: Any, path: str) -> Any:
    """Ours where theirs has a value, None where it has none: docs/results.md does not say which figures of decode steps the row of a serving engine has."""
    if isinstance(ours, dict) and "value" not in ours and isinstance(theirs, dict):
        return {name: _where_told(d, value, theirs.get(name), path) for name, value in ours.items()}
    if _absent(theirs) and not _absent(ours) and not isinstance(ours, Unknown):
        d.skip("matrix.json: figures of decode steps that rows of serving engines leave out", "docs/results.md does not say which of them there are")
        return None
    return ours


def _serving_absences(d: Directory, told: dict[str, Any], absent: dict[str, Any], path: str) -> None:
    """Why a number of `serving` is null stands in the row's `absent` under `serving.` and its name."""
    def walk(node: dict[str, Any], names: tuple[str, ...]) -> None:
        for name, value in node.items():
            here = (*names, shown(name, 60))
            if isinstance(value, dict) and "scope" in value:
                continue
            if isinstance(value, dict) and "value" not in value:
                walk(value, here)
            elif _absent(value) and not (isinstance(value, dict) and value.get("reason")) and not any(".".join(here[:n]) in absent for n in range(2, len(here) + 1)):
                d.wrong("matrix.json", f"{path}.{'.'.join(here)}", "is null, and nothing says why")

    walk(told, ("serving",))
    for name in absent:
        node: Any = {"serving": told} if name.startswith("serving.") else None
        for step in name.split("."):
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None and not _absent(node) and (not isinstance(node, dict) or "value" in node):
            d.wrong("matrix.json", f"{path}.absent", f"says why {shown(name, 60)} is not there, but it is")


def _panels(d: Directory, top: dict[str, Any]) -> None:
    """A panel's figure of a serving engine is there where its row's is."""
    theirs = d.matrix.get("panels")
    serving = {(c.group, c.label) for g in d.plan.groups for c in g.cells if c.serves}
    for panel, said in zip(top["panels"], theirs if isinstance(theirs, list) else []):
        told = said.get("rows") if isinstance(said, dict) else None
        for row, stands in zip(panel["rows"], told if isinstance(told, list) else []):
            if (row["group"], row["label"]) in serving and isinstance(stands, dict):
                row.update({name: _where_told(d, row[name], stands.get(name), "panels") for name in ("projectedJoulesPerToken", "unmatchedRatio")})


def _cost(d: Directory, row: dict[str, Any], path: str) -> None:
    cost = row.get("cost")
    if not isinstance(cost, dict):
        return
    walk = _Comparison(d, "matrix.json")
    for name, parts in (("bytes", ("weightBytes", "stateBytes")), ("flops", ("weightFlops", "attentionFlops"))):
        if name in cost and all(_is_number(cost.get(p)) for p in parts):
            walk.compare(float(sum(cost[p] for p in parts)), cost[name], f"{path}.cost.{name}")


def _absences(d: Directory, file: str, owner: dict[str, Any], path: str, always_words: tuple[str, ...]) -> None:
    """Why a number is not there stands beside it: in the object's `absent`, or in the figure's `reason`."""
    absent = owner.get("absent")
    if not isinstance(absent, dict):
        d.wrong(file, f"{path}.absent", "is not a map from members to reasons")
        return
    for name, value in owner.items():
        if value is None and name not in absent and name not in always_words:
            d.wrong(file, f"{path}.{shown(name, 40)}", "is null, and nothing says why")
        elif isinstance(value, dict) and "estimator" in value and value.get("value") is None and not value.get("reason"):
            d.wrong(file, f"{path}.{shown(name, 40)}", "has no value, and nothing says why")
    for name in absent:
        if owner.get(name) is not None:
            d.wrong(file, f"{path}.absent", f"says why {shown(name, 40)} is not there, but it is")


def _closure(d: Directory) -> None:
    walk = _Comparison(d, "matrix.json")
    for i, level in enumerate(d.matrix["closure"] if isinstance(d.matrix.get("closure"), list) else []):
        if isinstance(level, dict) and _is_number(level.get("upperJoules")) and _is_number(level.get("lowerJoules")) and level["upperJoules"]:
            walk.compare((level["upperJoules"] - level["lowerJoules"]) / level["upperJoules"], level.get("fraction"), f"closure[{i}].fraction")


def _older(d: Directory, computed: dict[str, Any]) -> None:
    """Formats 1 and 2: means of J per token and layer, and ratios, are made as today; intervals, rates, constraints and phis were not."""
    walk = _Comparison(d, "matrix.json")
    for _, _, ours, theirs, path in _rows(d, computed):
        for name in ("tokens", "interceptJoulesPerStep", "passes", "devices", "nodes", "meanWatts"):
            value = theirs.get(name)
            walk.compare(ours[name] if name != "tokens" or ours["passes"] else 0.0, None if value == "NaN" else value, f"{path}.{name}")
        for name in ("joulesPerTokenLayer", "netJoulesPerTokenLayer"):
            _older_estimate(walk, ours[name], theirs.get(name), f"{path}.{name}")
        if isinstance(theirs.get("ratio"), dict) and ours["ratio"] is not None:
            _older_estimate(walk, ours["ratio"]["ratio"], theirs["ratio"].get("ratio"), f"{path}.ratio.ratio")
    d.skip("intervals, type B terms, standings, rates, constraints, phis, projections and the facility ratio",
           f"they were made by other rules in format {d.format}, and docs/results.md gives today's")


def _older_estimate(walk: _Comparison, ours: Any, theirs: Any, path: str) -> None:
    if not isinstance(theirs, dict):
        walk.compare(ours, theirs, path)
        return
    for name in ("value", "scope", "units"):
        stated = theirs.get(name)
        walk.compare((ours or matrix.NO_ESTIMATE)[name], None if stated == "NaN" else stated, f"{path}.{name}")
