"""A sweep's directory as it is read: seal, checksums, plan, journals, traces. What is wrong is told and reading goes on with what is left."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from . import facility, matrix, plan as plans
from .evidence import Asked, Readings, Trial, instant_ns, parse_trace, parse_trial, windows
from .reading import (FOLDERS, MANIFEST, Damaged, JournalLine, integer, is_safe_name, items, journal, member, names_in, number, number_or_none, parse_json, read_bytes, read_csv, seal_holds, sha256,
                      shown, text, text_or_none, texts)
from .serving import Limits, Request, contradictions, parse_requests

FORMATS = (1, 2, 3, 4)
NEWEST = FORMATS[-1]
REQUIRED = ("plan.yaml", "plan.resolved.yaml", "trials.ndjson", "events.ndjson", "matrix.json", "cells.csv", "report.html")
_GROWING = ("trials.ndjson", "events.ndjson")
_REPLACED = ("matrix.json", "cells.csv", "report.html", "facility.csv")
ENDED = ("finished", "finishedWithFailures", "cancelled")
_PLAN_HASH = re.compile(rb"^# sha256 of its canonical JSON: ([0-9a-f]{64})\r?$", re.MULTILINE)
_FORMAT = re.compile(rb'"format":\s*(\d)\b')
_END_EVENTS = ("finished", "cancelled", "finishedWithFailures", "failed")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: where, in a sentence; ours and theirs where it is a number that differs."""

    file: str
    path: str
    text: str
    ours: Any = None
    theirs: Any = None
    difference: float | None = None


@dataclass
class Directory:
    """What was read. live: the sweep has not ended. snapshot_lines, snapshot_events: the lines of trials.ndjson and events.ndjson that a live sweep's manifest knows; None: all.

    inputs: what figures follow from; None where too little could be read.
    """

    path: str
    format: int = NEWEST
    live: bool = False
    manifest: dict[str, Any] | None = None
    plan: plans.Plan | None = None
    trials: list[Trial] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    matrix: dict[str, Any] | None = None
    cells: list[dict[str, str]] | None = None
    snapshot_lines: int | None = None
    snapshot_events: int | None = None
    facility: dict[str, Any] | None = None
    inputs: matrix.Inputs | None = None
    findings: list[Finding] = field(default_factory=list)
    unchecked: dict[tuple[str, str], int] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def sweep(self) -> str | None:
        if isinstance(self.manifest, dict) and isinstance(self.manifest.get("sweep"), str):
            return self.manifest["sweep"]
        return self.trials[0].sweep if self.trials else None

    def wrong(self, file: str, path: str, sentence: str, ours: Any = None, theirs: Any = None, difference: float | None = None) -> None:
        # Whatever of a file's words is in them, it reaches a terminal from here.
        self.findings.append(Finding(shown(file, 300), shown(path, 600), shown(sentence, 2000), ours, theirs, difference))

    def skip(self, what: str, why: str, count: int = 1) -> None:
        key = shown(what, 4000), shown(why, 600)
        self.unchecked[key] = self.unchecked.get(key, 0) + count

    def count(self, what: str, number_of: int = 1) -> None:
        self.checked[what] = self.checked.get(what, 0) + number_of


def open_directory(path: str) -> Directory:
    """Reads a directory. Raises Damaged only where there is no directory at all; everything else becomes a finding."""
    d = Directory(path)
    names = names_in(path)
    if not names:
        raise Damaged("there is no sweep's directory at this path")
    files = _manifest(d, names)
    _plan(d, files)
    _events(d, files)
    _trials(d, files)
    _derived(d, files)
    _inputs(d)
    return d


class _Files:
    """The files' bytes, each read and hashed once."""

    def __init__(self, directory: Directory, names: list[str]):
        self.directory, self.names, self.damaged = directory, set(names), set()
        self.hashes: dict[str, str] = {}

    def bytes(self, name: str) -> bytes | None:
        """None where the file is missing or cannot be read, which has been told."""
        if name not in self.names or name in self.damaged:
            return None
        try:
            data = read_bytes(self.directory.path, name)
        except Damaged as error:
            self.damaged.add(name)
            self.directory.wrong(name, "", str(error))
            return None
        self.hashes.setdefault(name, sha256(data))
        return data


def _manifest(d: Directory, names: list[str]) -> _Files:
    files = _Files(d, names)
    data = files.bytes(MANIFEST)
    if data is None:
        d.live = True
        derived = [n for n in ("matrix.json", "cells.csv", "report.html") if n in files.names]
        if MANIFEST not in files.names and derived:
            d.live = False
            d.wrong(MANIFEST, "", f"{MANIFEST} is missing, though the sweep has ended ({', '.join(derived)} is there)")
        elif MANIFEST in files.names:
            d.live = False
        else:
            d.skip("seal, checksums, devices and passes", "the sweep has not ended: there is no manifest yet")
        d.format = _guess_format(files)
        return files
    try:
        manifest = parse_json(data, MANIFEST)
        d.format = integer(manifest, "format", MANIFEST)
        d.manifest = manifest
        if d.format not in FORMATS:
            d.wrong(MANIFEST, "format", f"format {shown(d.format)} is not known here; it is read as format {NEWEST}")
            d.format = NEWEST
        if not seal_holds(data, manifest.get("sha256")):
            d.wrong(MANIFEST, "sha256", "the seal is broken: the manifest is not what was sealed")
        else:
            d.count("seal")
        phase = text(manifest, "phase", MANIFEST)
        d.live = phase not in ENDED
        if d.format >= 3 and (phase in ENDED) != (manifest.get("endedUtc") is not None):
            d.wrong(MANIFEST, "endedUtc", f"is {shown(manifest.get('endedUtc'), 40)}, and the phase is {shown(phase, 40)}")
        _not_a_number(d, manifest, MANIFEST)
        _checksums(d, files, manifest)
    except Damaged as error:
        d.wrong(MANIFEST, "", str(error))
    return files


def _guess_format(files: _Files) -> int:
    """Without a manifest. Formats 3 and 4 differ in the matrix, which then is not there yet, and in trials of serving engines."""
    data = files.bytes("trials.ndjson") or b""
    if data and b'"sequence":' not in data[:20000]:
        return 2
    said = _FORMAT.search((files.bytes("matrix.json") or b"")[:1000])
    return 4 if said is not None and said.group(1) == b"4" or b'"served":{' in data else 3


def _checksums(d: Directory, files: _Files, manifest: dict[str, Any]) -> None:
    listed = set()
    for i, entry in enumerate(items(manifest, "files", MANIFEST)):
        at = f"files[{i}]"
        name, size, expected = text(entry, "name", at), integer(entry, "bytes", at), text(entry, "sha256", at)
        if not is_safe_name(name) or name == MANIFEST:
            d.wrong(MANIFEST, at, f"'{shown(name)}' is not a name of a file in this directory; it was not opened")
            continue
        if name in listed:
            d.wrong(MANIFEST, at, f"{shown(name)} is listed twice")
        listed.add(name)
        if name not in files.names:
            d.wrong(name, "", f"{shown(name)} is missing; the manifest lists it")
            continue
        data = files.bytes(name)
        if data is None:
            continue
        if d.live and name in _GROWING and 0 <= size < len(data) and sha256(data[:size]) == expected:
            d.skip(f"lines of {name} that the manifest does not know", "the sweep is live: they were added since", data.count(b"\n", size))
            if name == "trials.ndjson":
                d.snapshot_lines = data.count(b"\n", 0, size)
            else:
                d.snapshot_events = data.count(b"\n", 0, size)
        elif d.live and name in _REPLACED and (len(data) != size or files.hashes[name] != expected):
            d.skip(name, "the sweep is live: it was written anew since the manifest")
            files.damaged.add(name)
        elif len(data) != size or files.hashes[name] != expected:
            d.wrong(name, "", f"{shown(name)} is not the file of the manifest: {len(data)} bytes with SHA-256 {files.hashes[name][:12]}…, "
                              f"listed with {shown(size, 20)} and {shown(expected, 12)}…")
        else:
            d.count("checksums")
    for name in sorted(files.names - listed - {MANIFEST}):
        if d.live and is_safe_name(name) and (name.startswith(FOLDERS) or name.removesuffix(".next") in (*REQUIRED, *_REPLACED, MANIFEST)):
            d.skip("files that the manifest does not know", "the sweep is live: they were added since")
        else:
            d.wrong(shown(name), "", f"{shown(name)} is in the directory, but not in the manifest")
    for name in REQUIRED:
        if name not in listed and not d.live:
            d.wrong(MANIFEST, "files", f"{name} is not listed; the directory of a sweep that has ended has it")


def _plan(d: Directory, files: _Files) -> None:
    data = files.bytes("plan.resolved.yaml")
    if data is None:
        if MANIFEST not in files.names and "plan.resolved.yaml" not in files.names:
            d.wrong("plan.resolved.yaml", "", "plan.resolved.yaml is missing")
        return
    try:
        d.plan = plans.read(data)
    except Damaged as error:
        d.wrong("plan.resolved.yaml", "", str(error))
    told = _PLAN_HASH.search(data)
    if told is None:
        d.skip("plan.resolved.yaml's own SHA-256", "it has no line that says it")
    elif d.manifest is not None and told.group(1).decode() != d.manifest.get("planSha256"):
        d.wrong("plan.resolved.yaml", "", "it says another SHA-256 of the plan than the manifest")
    d.skip("SHA-256 of the plan", "it is one of a canonical JSON that is not in the directory; only that plan, manifest, matrix and trials name the same one is seen")


def _events(d: Directory, files: _Files) -> None:
    data = files.bytes("events.ndjson")
    if data is None:
        return
    for line in journal(data, "events.ndjson"):
        if line.torn and d.live:
            d.skip("the last line of events.ndjson", "it has no end yet: the sweep is live")
        elif line.damage:
            d.wrong("events.ndjson", f"line {line.number}", line.damage)
        else:
            try:
                sequence = integer(line.document, "sequence", f"line {line.number}")
                kind = text(line.document, "kind", f"line {line.number}")
                text(line.document, "text", f"line {line.number}")
                if sequence != line.number - 1:
                    d.wrong("events.ndjson", f"line {line.number}", f"its sequence is {shown(sequence, 20)}, its place {line.number - 1}: a line is missing, doubled or out of order")
                d.events.append(line.document)
                if line.document.get("key") == "end" and d.manifest is not None and d.manifest.get("phase") not in ENDED and (d.snapshot_events is None or line.number <= d.snapshot_events):
                    d.wrong(MANIFEST, "phase", f"is {shown(d.manifest.get('phase'), 40)}, but line {line.number} of events.ndjson says that the sweep has ended")
                d.count("events")
                if kind in _END_EVENTS and d.manifest is None and d.live:
                    d.live = False
                    d.wrong(MANIFEST, "", f"{MANIFEST} is missing, though events.ndjson says that the sweep has ended")
            except Damaged as error:
                d.wrong("events.ndjson", f"line {line.number}", str(error))


def _trials(d: Directory, files: _Files) -> None:
    data = files.bytes("trials.ndjson")
    if data is None:
        if MANIFEST not in files.names and "trials.ndjson" not in files.names:
            d.skip("trials", "there is no trials.ndjson yet")
        return
    seen: dict[tuple, int] = {}
    readings: dict[tuple, str] = {}
    place, newer, served = 0, [], []
    for line in journal(data, "trials.ndjson"):
        if line.torn and d.live:
            d.skip("the last line of trials.ndjson", "it has no end yet: the sweep is live")
            continue
        if line.damage:
            d.wrong("trials.ndjson", f"line {line.number}", line.damage)
            place += 1
            continue
        if d.format < 3 and _is_of_format_3(line.document):
            newer.append(line.number)
        if d.format == 3 and isinstance(line.document, dict) and line.document.get("served") is not None:
            served.append(line.number)
        trial = _trial(d, files, line)
        if trial is not None:
            _placed(d, trial, place, seen, readings)
        place += 1
    if newer:
        d.wrong(MANIFEST, "format", f"says format {d.format}, but its trials hold readings as only format 3 does (line {newer[0]} of trials.ndjson"
                                    + (f" and {len(newer) - 1} more)" if len(newer) > 1 else ")"))
    if served:
        d.wrong(MANIFEST if d.manifest is not None else "trials.ndjson", "format", f"says format 3, but trials of serving engines are of format 4 (line {served[0]} of trials.ndjson"
                + (f" and {len(served) - 1} more)" if len(served) > 1 else ")"))
    if d.format >= 3:
        _overlaps(d)


def _is_of_format_3(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    legs = document.get("legs")
    return "sequence" in document or "originUtc" in document or any(isinstance(leg, dict) and "evidence" in leg for leg in (legs if isinstance(legs, list) else []))


def _overlaps(d: Directory) -> None:
    """Two trials cannot have run on one device at the same time. A trial is told once, with the first that it meets."""
    by_device: dict[tuple[str, str], list[tuple[int, int, int, str]]] = {}
    for trial in d.trials:
        # A scaled time begins anew with its process: that of a simulation that was started again may come twice.
        if trial.origin is None or trial.stated.get("timeScale", 1) != 1:
            continue
        origin = instant_ns(trial.origin)
        if origin is None:
            d.wrong("trials.ndjson", f"line {trial.line}.originUtc", f"is no date: {shown(trial.origin, 60)}")
            continue
        for where, start, end in windows(trial.stated):
            for uuid in set(trial.devices):
                by_device.setdefault((trial.host, uuid), []).append((origin + start, origin + end, trial.line, f"line {trial.line}.{where}"))
    told = set()
    for (host, uuid), stretches in sorted(by_device.items()):
        running: list[tuple[int, int, int, str]] = []
        for stretch in sorted(stretches):
            running = [r for r in running if r[1] > stretch[0]]
            other = next((r for r in running if r[2] != stretch[2]), None)
            if other is not None:
                (_, _, _, earlier), (_, _, line, later) = sorted((other, stretch), key=lambda s: s[2])
                if line not in told:
                    told.add(line)
                    d.wrong("trials.ndjson", later, f"and {earlier} overlap in time on {shown(host, 60)}/{shown(uuid, 60)}: a device runs one trial at a time")
            # Of a trial that has been told, nothing more is looked for.
            if stretch[2] not in told:
                running.append(stretch)
    d.count("trials whose time on their devices is their own", len(d.trials) - len(told))


def _trial(d: Directory, files: _Files, line: JournalLine) -> Trial | None:
    document, at = line.document, f"line {line.number}"
    try:
        trace = _trace(d, files, document, at)
        differences: list[str] = []
        if d.format >= 3:
            _not_a_number(d, document, "trials.ndjson", at)
        trial = parse_trial(document, line.number, trace, differences, d.format >= 3, _asked(d, files, document, at) if d.format >= 4 else None)
        for difference in differences:
            d.wrong("trials.ndjson", "", difference)
        d.trials.append(trial)
        d.count("trials")
        return trial
    except Damaged as error:
        d.wrong("trials.ndjson", "", str(error))
    except (ArithmeticError, ValueError) as error:
        d.wrong("trials.ndjson", at, f"its readings give no figures: {shown(error)}")
    return None


def _named(d: Directory, files: _Files, document: Any, key: str, folder: str, at: str) -> tuple[str, bytes] | None:
    """The file below `folder` that a line names under `key`, held against the SHA-256 beside it; None where no file is named or it is not that one."""
    name, expected = text(document, key, at), text(document, f"{key}Sha256", at)
    if not name:
        return None
    path = name if name.startswith(f"{folder}/") else f"{folder}/{name}"
    if not is_safe_name(path):
        d.wrong("trials.ndjson", f"{at}.{key}", f"'{shown(name)}' is not a name below {folder}/; it was not opened")
        return None
    data = files.bytes(path)
    if data is None:
        if path not in files.names:
            d.wrong(path, "", f"{shown(path)} is missing; the trial of {at} names it")
        return None
    if files.hashes[path] != expected:
        d.wrong(path, "", f"{shown(path)} is not the {key} of its trial ({at}): its SHA-256 is another")
        return None
    return path, data


def _trace(d: Directory, files: _Files, document: Any, at: str) -> dict[str, Readings] | None:
    found = _named(d, files, document, "trace", "traces", at)
    if found is None:
        return None
    path, data = found
    if d.format < 3:
        return None
    try:
        d.count("traces")
        return parse_trace(data, path)
    except Damaged as error:
        d.wrong(path, "", str(error))
        return None


def _asked(d: Directory, files: _Files, document: Any, at: str) -> Asked | None:
    """What a trial of a serving engine was asked; None of a decode step. Its rows are read whatever its outcome."""
    trial, served = member(document, "trial", at), document.get("served")
    cell = next((c for g in d.plan.groups if g.name == trial.get("group") for c in g.cells if c.label == trial.get("label")), None) if d.plan is not None and isinstance(trial, dict) else None
    if cell is not None and not cell.serves and served is not None:
        d.wrong("trials.ndjson", f"{at}.served", "is there, and the cell is no serving engine")
    serves = cell.serves if cell is not None else served is not None
    if not serves:
        return None
    limits = Limits(cell.service_milliseconds, cell.service_first_token) if cell is not None else None
    return Asked(None if served is None else _requests(d, files, served, f"{at}.served", document.get("outcome") == "valid"), limits)


def _requests(d: Directory, files: _Files, served: Any, at: str, valid: bool) -> list[Request] | None:
    if valid and not text(served, "requests", at):
        d.wrong("trials.ndjson", f"{at}.requests", "names no file, and the trial is valid")
    found = _named(d, files, served, "requests", "requests", at)
    if found is None:
        return None
    path, data = found
    requests = parse_requests(data, path, lambda where, sentence: d.wrong(path, where, sentence))
    for number_of, sentence in contradictions(requests or []):
        d.wrong(path, f"line {number_of}", sentence)
    d.count("files of requests")
    d.count("requests", len(requests or []))
    return requests


def _placed(d: Directory, trial: Trial, place: int, seen: dict[tuple, int], readings: dict[tuple, str]) -> None:
    at = f"line {trial.line}"
    if d.format >= 3 and trial.sequence != place:
        d.wrong("trials.ndjson", at, f"its sequence is {shown(trial.sequence, 20)}, its place {place}: a line is missing, doubled or out of order")
    identity = (trial.group, trial.label, trial.configuration, trial.block, trial.pass_number)
    if identity in seen:
        d.wrong("trials.ndjson", at, f"the trial {shown(trial.name)} stands twice; line {seen[identity]} holds it too")
    seen.setdefault(identity, trial.line)
    if d.manifest is not None and trial.sweep != d.manifest.get("sweep"):
        d.wrong("trials.ndjson", at, f"the trial {shown(trial.name)} is of another sweep: {shown(trial.sweep)}")
    if trial.plan_sha256 is not None and d.manifest is not None and trial.plan_sha256 != d.manifest.get("planSha256"):
        d.wrong("trials.ndjson", at, f"the trial {shown(trial.name)} is of another plan: {shown(trial.plan_sha256, 12)}…")
    for i, leg in enumerate(trial.legs):
        if leg.evidence is not None and trial.origin is not None:
            window = (trial.host, trial.devices, trial.origin, leg.evidence.from_ns, leg.evidence.to_ns)
            if window in readings:
                d.wrong("trials.ndjson", f"{at}.legs[{i}]", f"its readings are those of {readings[window]}")
            readings.setdefault(window, f"{at}.legs[{i}]")
    if trial.served is not None and trial.served.told.requests:
        asked = ("requests", trial.served.told.requests_sha256)
        if asked in readings:
            d.wrong("trials.ndjson", f"{at}.served.requests", f"are those of {readings[asked]}")
        readings.setdefault(asked, f"{at}.served")
    if d.plan is not None:
        group = next((g for g in d.plan.groups if g.name == trial.group), None)
        first = next(t for t in d.trials if (t.group, t.label) == (trial.group, trial.label))
        if first.configuration != trial.configuration:
            d.wrong("trials.ndjson", at, f"its configuration is not that of the cell's trial in line {first.line}")
        if group is None or group.cell(trial.label) is None:
            d.wrong("trials.ndjson", at, f"the plan has no cell '{shown(trial.label, 40)}' in a group '{shown(trial.group, 40)}'")


def _derived(d: Directory, files: _Files) -> None:
    data = files.bytes("matrix.json")
    if data is not None:
        try:
            value = parse_json(data, "matrix.json")
            if not isinstance(value, dict):
                raise Damaged("matrix.json is not an object")
            d.matrix = value
            if d.format >= 3:
                _not_a_number(d, value, "matrix.json")
        except Damaged as error:
            d.wrong("matrix.json", "", str(error))
    data = files.bytes("cells.csv")
    if data is not None:
        try:
            d.cells = read_csv(data, "cells.csv")
        except Damaged as error:
            d.wrong("cells.csv", "", str(error))
    data = files.bytes("facility.csv")
    if data is not None:
        try:
            d.facility = facility.ratio(data)
        except (Damaged, ArithmeticError, ValueError) as error:
            d.wrong("facility.csv", "", shown(error))


def _not_a_number(d: Directory, value: Any, file: str, path: str = "") -> None:
    """A number that is not there is null, never a string."""
    stack: list[tuple[Any, tuple]] = [(value, (path,) if path else ())]
    while stack:
        node, way = stack.pop()
        if isinstance(node, dict):
            stack.extend([(child, way + (name,)) for name, child in node.items()])
        elif isinstance(node, list):
            stack.extend([(child, way + (i,)) for i, child in enumerate(node)])
        elif isinstance(node, str) and node in ("NaN", "Infinity", "-Infinity"):
            at = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step, 40)}" for step in way).removeprefix(".")
            d.wrong(file, at, f"the text \"{node}\" stands where a number or null belongs")


def _device(entry: Any, at: str) -> matrix.Device:
    if not isinstance(entry, dict):
        raise Damaged(f"{at} is not an object")
    qualification = entry.get("qualification")

    def qualified(name: str) -> float | None:
        return None if qualification is None else number_or_none(qualification, name, f"{at}.qualification")

    def known(name: str) -> float | None:
        return None if entry.get(name) == "NaN" else number_or_none(entry, name, at)

    declared = (text_or_none(entry, "energySource", at) or "").startswith("declared")
    return matrix.Device(known("bandwidthBytesPerSecond"), known("peakFlopsPerSecond"), qualified("ratedWatts") or known("ratedWatts"), qualified("offsetWatts"),
                         qualified("nonLinearityWatts"), qualified("alias"), qualified("counterResidual"), declared)


def passes(d: Directory) -> list[tuple[str, int, int, str, list[str]]]:
    """(group, block, pass, state, devices) of the manifest; empty where it cannot be read, which is told."""
    if d.manifest is None:
        return []
    try:
        result = []
        for i, p in enumerate(items(d.manifest, "passes", MANIFEST)):
            at = f"passes[{i}]"
            result.append((text(p, "group", at), integer(p, "block", at), integer(p, "pass", at), text(p, "state", at), texts(p, "devices", at)))
        return result
    except Damaged as error:
        d.wrong(MANIFEST, "passes", str(error))
        return []


def _costs(d: Directory) -> dict[tuple[str, str], matrix.Cost]:
    costs = {}
    if d.matrix is None or d.format < 3:
        return costs
    serving = {(c.group, c.label) for g in d.plan.groups for c in g.cells if c.serves}
    try:
        for g, group in enumerate(items(d.matrix, "groups", "matrix.json")):
            for r, row in enumerate(items(group, "rows", f"groups[{g}]")):
                at = f"groups[{g}].rows[{r}].cost"
                cost = row.get("cost") if isinstance(row, dict) else None
                if cost is None:
                    continue
                key = text(group, "name", at), text(row, "label", at)
                if key in serving:
                    if isinstance(cost, dict) and (known := [n for n, v in cost.items() if type(v) in (int, float)]):
                        d.wrong("matrix.json", f"{at}.{shown(known[0], 40)}", "is a number, and a serving engine's cost is of nothing")
                else:
                    found = matrix.Cost(*(number(cost, n, at) for n in ("parameters", "weightBytes", "stateBytes", "weightFlops", "attentionFlops")))
                    if found.parameters > 0 and found.weight_bytes > 0 and found.flops > 0:
                        costs[key] = found
                    else:
                        d.wrong("matrix.json", at, "parameters, bytes and FLOP of a layer are not above 0")
    except Damaged as error:
        d.wrong("matrix.json", "", str(error))
    return costs


def _inputs(d: Directory) -> None:
    if d.plan is None:
        return
    devices = {}
    if d.manifest is not None:
        try:
            for i, entry in enumerate(items(d.manifest, "devices", MANIFEST)):
                at = f"devices[{i}]"
                devices[f"{text(entry, 'host', at)}/{text(entry, 'uuid', at)}"] = _device(entry, at)
        except Damaged as error:
            d.wrong(MANIFEST, "devices", str(error))
    pue: Any = None
    if d.plan.pue_source is not None and d.plan.pue_category == 3:
        pue = d.plan.pue_value
        if d.plan.pue_source == "site":
            pue = d.facility["value"] if d.facility is not None else matrix.Unknown("facility.csv is not there")
    void = frozenset((g, b, p) for g, b, p, state, _ in passes(d) if state == "void")
    known = [t for t in d.trials if d.snapshot_lines is None or t.line <= d.snapshot_lines]
    d.inputs = matrix.Inputs(d.plan, tuple(known), void, devices, _costs(d), pue)
