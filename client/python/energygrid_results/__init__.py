"""Reads the directory that a sweep leaves and computes every number of it again, from docs/results.md alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import flat
from .directory import Directory, Finding, open_directory
from .evidence import Trial
from .reading import Damaged, shown
from .verification import compute, verify

__all__ = ["Damaged", "Finding", "Results", "Trial", "load", "verify"]


@dataclass(frozen=True)
class Results:
    """A sweep's results. manifest, matrix, cells: as they stand in the files, cells a dictionary a line; trials, computed: of our own."""

    manifest: dict[str, Any] | None
    trials: list[Trial]
    matrix: dict[str, Any] | None
    cells: list[dict[str, str]] | None
    computed: dict[str, Any]
    sweep: str | None

    def rows(self) -> list[dict[str, Any]]:
        """The computed cells as flat dictionaries with the same keys: what pandas.DataFrame takes."""
        return flat.rows(self.sweep, self.computed)


def load(path: str) -> Results:
    """Reads a directory that is whole. Raises Damaged with a sentence where something is wrong with it; `verify` says all that is."""
    d = open_directory(path)
    if d.findings:
        first = d.findings[0]
        raise Damaged(f"{first.file}: {first.text}" + (f" (and {len(d.findings) - 1} more)" if len(d.findings) > 1 else ""))
    try:
        computed = compute(d)
    except (ArithmeticError, ValueError) as error:
        raise Damaged(f"the figures cannot be computed from these numbers: {shown(error)}") from None
    if computed is None:
        raise Damaged("the plan could not be read")
    return Results(d.manifest, d.trials, d.matrix, d.cells, computed, d.sweep)
