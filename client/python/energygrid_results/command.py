"""The command line: `verify DIR [--json]` and `rows DIR [--json]`."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import Any, Sequence

from . import load
from .directory import Directory, Finding
from .reading import Damaged, shown
from .verification import verify

HOLDS, WRONG, USAGE = 0, 1, 2
_MOST_LINES = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """0: holds. 1: something is wrong. 2: usage."""
    parser = argparse.ArgumentParser(prog="energygrid_results", description="Reads the directory of a sweep and computes every number of it again.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("verify", "compute everything again and say what differs"), ("rows", "print the computed cells as CSV, or as JSON")):
        command = commands.add_parser(name, help=text)
        command.add_argument("directory", metavar="DIR")
        command.add_argument("--json", action="store_true")
    try:
        chosen = parser.parse_args(arguments)
    except SystemExit as leaving:
        return USAGE if leaving.code else HOLDS
    # What is printed of a file is escaped, but a terminal may not know the other letters.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _verify(chosen.directory, chosen.json) if chosen.command == "verify" else _rows(chosen.directory, chosen.json)
    except BrokenPipeError:
        sys.stderr.close()
        return WRONG
    except (RecursionError, MemoryError):
        print(f"{shown(chosen.directory)}: it is nested too deeply or too large to be read", file=sys.stderr)
        return WRONG


def _verify(path: str, as_json: bool) -> int:
    try:
        d = verify(path)
    except Damaged as error:
        print(f"{shown(path)}: {error}", file=sys.stderr)
        return USAGE
    if as_json:
        json.dump(as_document(d), sys.stdout, indent=2)
        print()
    else:
        for line in as_lines(d):
            print(line)
    return WRONG if d.findings else HOLDS


def _rows(path: str, as_json: bool) -> int:
    try:
        rows = load(path).rows()
    except Damaged as error:
        print(f"{shown(path)}: {error}", file=sys.stderr)
        return WRONG
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    elif rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{name: _field(value) for name, value in row.items()} for row in rows])
    return HOLDS


def _field(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    # A text that a spreadsheet would take for a formula is made one that it does not.
    return "'" + value if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _number(value: Any) -> str:
    return "nothing" if value is None else repr(value) if isinstance(value, float) else shown(value)


def describe(finding: Finding) -> str:
    where = f"{finding.file}{': ' + finding.path if finding.path else ''}"
    if finding.ours is None and finding.theirs is None:
        return f"{where}: {finding.text}"
    relative = f", relative difference {finding.difference:.2g}" if finding.difference is not None else ""
    return f"{where}: {finding.text}: ours {_number(finding.ours)}, theirs {_number(finding.theirs)}{relative}"


def as_lines(d: Directory) -> list[str]:
    state = "LIVE: it has not ended, and this is how far it goes" if d.live else "ended"
    lines = [f"{shown(d.path)}: format {d.format}, sweep {shown(d.sweep) if d.sweep else 'without a name'}, {state}"]
    lines += [f"  wrong: {describe(f)}" for f in d.findings[:_MOST_LINES]]
    if len(d.findings) > _MOST_LINES:
        lines.append(f"  … and {len(d.findings) - _MOST_LINES} more")
    lines.append("checked: " + (", ".join(f"{what} {count}" for what, count in sorted(d.checked.items())) or "nothing"))
    if d.unchecked:
        lines.append("not checked:")
        lines += _by_reason(d)
    if d.findings:
        lines.append(f"WRONG: {len(d.findings)} {'finding' if len(d.findings) == 1 else 'findings'}")
    else:
        lines.append("HOLDS, as far as it goes: the sweep is live" if d.live else "HOLDS")
    return lines


def _by_reason(d: Directory) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for (what, why), count in d.unchecked.items():
        reasons.setdefault(why, []).append(what + (f" ({count})" if count > 1 else ""))
    lines = []
    for why, whats in reasons.items():
        file, _, _ = whats[0].partition(": ")
        common = file + ": " if len(whats) > 1 and all(w.startswith(file + ": ") for w in whats) else ""
        lines.append(f"  {common}{', '.join(w.removeprefix(common) for w in whats)}: {why}")
    return lines


def as_document(d: Directory) -> dict[str, Any]:
    return {
        "directory": shown(d.path), "format": d.format, "sweep": None if d.sweep is None else shown(d.sweep), "live": d.live, "holds": not d.findings,
        "findings": [{"file": shown(f.file), "path": shown(f.path), "text": f.text, "ours": _plain(f.ours), "theirs": _plain(f.theirs), "relativeDifference": _plain(f.difference)}
                     for f in d.findings],
        "checked": d.checked,
        "notChecked": [{"what": what, "why": why, "count": count} for (what, why), count in d.unchecked.items()],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, (bool, int)) else shown(value)
