"""The site's facility ratio from `facility.csv`: sums over stretches of windows of one second."""

from __future__ import annotations

import math
from typing import Any

from .reading import Damaged, parse_number, read_csv

COLUMNS = ("from_window", "to_window", "windows", "whole", "facility_joules", "facility_low_joules", "facility_high_joules", "facility_covered_weight", "facility_weight",
           "it_joules", "it_low_joules", "it_high_joules", "it_unmetered_rated_joules")
LEAST_COVERAGE = 0.95


def ratio(data: bytes) -> dict[str, Any]:
    """value, low, high, coverages and energies, by their names in `matrix.json`."""
    rows = []
    for i, fields in enumerate(read_csv(data, "facility.csv"), 2):
        missing = [c for c in COLUMNS if c not in fields]
        if missing:
            raise Damaged(f"facility.csv has no column {missing[0]}")
        row = {c: parse_number(fields[c]) for c in COLUMNS}
        wrong = [c for c in COLUMNS if row[c] is None]
        if wrong:
            raise Damaged(f"facility.csv line {i}: {wrong[0]} is not a number")
        rows.append(row)
    if not rows:
        raise Damaged("facility.csv has no line")
    start, end = min(r["from_window"] for r in rows), max(r["to_window"] for r in rows)
    chosen = [r for r in rows if r["whole"] == 1] or rows

    def total(name: str) -> float:
        return math.fsum(r[name] for r in chosen)

    facility, it = total("facility_joules"), total("it_joules")
    metered = it + total("it_unmetered_rated_joules")
    it_coverage = it / metered if metered > 0 else 0.0
    weight = total("facility_weight")
    facility_coverage = total("facility_covered_weight") / weight if weight > 0 else 0.0
    # What the uncovered time of either side may hold in addition.
    most_it, least_it = it + total("it_high_joules"), it + total("it_low_joules")
    enough = it > 0 and it_coverage >= LEAST_COVERAGE and facility_coverage >= LEAST_COVERAGE
    return {
        "value": facility / it if enough else None,
        "low": None if enough or most_it <= 0 else (facility + total("facility_low_joules")) / most_it,
        "high": None if enough or least_it <= 0 else (facility + total("facility_high_joules")) / least_it,
        "fromWindow": int(start),
        "toWindow": int(end),
        "facilityKilowattHours": facility / 3.6e6,
        "itKilowattHours": it / 3.6e6,
        "timeCoverage": total("windows") / (end - start) if end > start else None,
        "itCoverage": it_coverage,
    }
