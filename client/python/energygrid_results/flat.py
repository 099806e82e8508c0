"""A cell as one flat line, with the columns of `cells.csv`; and `cells.csv` against `matrix.json`."""

from __future__ import annotations

import re
from typing import Any, Iterator

from .directory import Directory
from .matrix import Unknown
from .reading import parse_number, shown

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What columns of format 4 begin with.
_OF_FORMAT_4 = ("seconds_per_token_layer_", "ratio_time_ratio_", "serving_")
_MAPS = ("invalidations", "absent")


def _estimate(name: str) -> list[str]:
    return [f"{name}_{part}" for part in ("value", "low", "high", "scope", "units")]


def _uncertainty(name: str) -> list[str]:
    return [f"{name}_{part}" for part in ("standard_error", "degrees_of_freedom", "offset_term", "non_linearity_term", "alias_term", "counter_term", "gain_term", "type_b", "bound")]


# The columns that are always there, in order.
ALWAYS = [
    "format", "sweep", "plan", "plan_sha256", "complete", "banner", "group", "hardware", "baseline", "label", "twin_of", "provenance",
    "workload", "weights", "batch", "context", "model_width", "heads", "key_value_heads", "feed_forward_width", "model_layers", "short_layers", "middle_layers", "long_layers", "vocabulary", "stack", "data",
    "data_seed", "configuration_sha256",
    "cost_parameters", "cost_weight_bytes", "cost_state_bytes", "cost_bytes", "cost_weight_flops", "cost_attention_flops", "cost_flops", "cost_resident_bytes", "token_kind", "tokens",
    "boundary", "estimator", *_estimate("joules_per_token_layer"), *_uncertainty("uncertainty"), *_estimate("net_joules_per_token_layer"), "intercept_joules_per_step",
    *_estimate("linearity_departure"), "linearity_layers", "linearity_straight", "coverage", "mean_watts", "power_cap_fraction",
    *_estimate("ratio"), "ratio_simultaneous_low", "ratio_simultaneous_high", *_uncertainty("ratio_uncertainty"),
    "ratio_p_value", "ratio_holm_p_value", "ratio_resolution", "ratio_resolution_from", "ratio_standing", "ratio_standing_reason", "ratio_achieved_over_floor", "ratio_confounds",
    "token_layers_per_second", "watts_per_device", "achieved_over_floor", "flops_per_token_layer", "k_eff_realized", "k_eff_peak",
    "projected_tokens_per_second", "projected_step_milliseconds", "service_milliseconds", "service_statistic", "meets_service", "quality",
    "constraint_verdict", "constraint_text", "constraint_reason", "constraint_limit", "constraint_boundary", "constraint_devices",
    "constraint_budget_watts", "constraint_drawn_watts", "constraint_rho", "constraint_rho_star", *_estimate("constraint_headroom"), "constraint_headroom_peak",
    "constraint_break_even_watts", "constraint_break_even_watts_peak", "ceilings",
    "passes", "devices", "nodes", "spread_pass", "spread_device", "spread_node", "spread_device_and_node", "invalidations", "flags", "absent",
]


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and path not in ((m,) for m in _MAPS):
        for name, child in value.items():
            yield from leaves(child, path + (name,))
    else:
        yield path, value


def column(path: tuple[str, ...]) -> str:
    """The name of a row's member: those of its path joined, without `configuration`, `phi`, and the second ratio of the ratio's own estimate."""
    parts = list(path)
    if parts[:2] == ["ratio", "ratio"] or parts[0] in ("configuration", "phi") and len(parts) > 1:
        parts = parts[1:]
    return "_".join(snake(p) for p in parts)


def rows(sweep: str | None, computed: dict[str, Any]) -> list[dict[str, Any]]:
    """All computed cells, with the same columns each; what cannot be computed from the files is None."""
    flats = []
    for group in computed["groups"]:
        for cell in group["rows"]:
            flat: dict[str, Any] = {"sweep": sweep, "group": group["name"], "baseline": group["baseline"]}
            for path, value in leaves(cell):
                flat[column(path)] = _joined(value) if isinstance(value, (dict, list)) else None if isinstance(value, Unknown) else value
            flats.append(flat)
    # An object that one cell has and another has not leaves its own name where it is null.
    names = list(dict.fromkeys(name for flat in flats for name in flat))
    names = [n for n in names if not any(other.startswith(n + "_") for other in names) or any(flat.get(n) is not None for flat in flats)]
    return [{name: flat.get(name) for name in names} for flat in flats]


def _joined(value: Any) -> str:
    return "; ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else "; ".join(str(v) for v in value)


# cells.csv against matrix.json

def csv_differences(d: Directory) -> None:
    """A line a cell in the matrix's order, each column the member of its name, to the last digit."""
    lines = d.cells or []
    groups = d.matrix.get("groups")
    cells = [(g, r) for g in (groups if isinstance(groups, list) else []) if isinstance(g, dict) and isinstance(g.get("rows"), list) for r in g["rows"] if isinstance(r, dict)]
    if len(lines) != len(cells):
        d.wrong("cells.csv", "", f"has {len(lines)} lines, matrix.json {len(cells)} cells")
        return
    if d.format >= 3 and lines and list(lines[0])[:len(ALWAYS)] != ALWAYS:
        missing = [c for c in ALWAYS if c not in lines[0]]
        d.wrong("cells.csv", "header", f"has no column {missing[0]}" if missing else "does not begin with the columns that are always there, in their order")
    nameless: dict[str, None] = {}
    known = {column(path) for _, cell in cells for path, _ in leaves(cell)} | set(ALWAYS if d.format >= 3 else ())
    top = {snake(name): d.matrix.get(name) for name in ("format", "sweep", "plan", "planSha256", "complete")}
    for i, (line, (group, cell)) in enumerate(zip(lines, cells), 2):
        members = {**top, "group": group.get("name"), "hardware": group.get("hardware"), "baseline": group.get("baseline")}
        members.update((column(path), value) for path, value in leaves(cell))
        for name, field in line.items():
            value = members.get(name)
            if d.format < 3 and value is None:
                value = members.get(f"{name}_value")
            if name == "banner" and d.format >= 3:
                _banner(d, field, {r.get("provenance") for _, r in cells if isinstance(r.get("provenance"), str)}, f"line {i}.banner")
            elif d.format < 3 and (value is None or _other_meaning(name)) or not (name in known or name in members or d.format >= 4 and name.startswith(_OF_FORMAT_4)):
                nameless[shown(name, 60)] = None
            elif not _same(field, None if d.format < 3 and value == "NaN" else value):
                d.wrong("cells.csv", f"line {i}.{shown(name, 60)}", "differs from matrix.json", _text(value), shown(field))
            else:
                d.count("fields of cells.csv")
    if nameless:
        d.skip(f"cells.csv: {', '.join(nameless)}", "matrix.json has no member of these names")


def _other_meaning(name: str) -> bool:
    """Columns of formats 1 and 2 that are not the members of their names."""
    return name in ("baseline", "invalidations", "ratio", "flags", "ceilings", "format", "plan", "plan_sha256", "complete", "quality", "linearity", "constraint")


def _banner(d: Directory, field: str, provenances: set[str], at: str) -> None:
    expected = {(): "NO RESULT", ("measured",): "MEASURED", ("modelled",): "MODELLED", ("measured", "modelled"): "PARTLY MODELLED"}.get(tuple(sorted(provenances)))
    if expected is None:
        d.skip("cells.csv: banner", "docs/results.md does not say what it is for every mixture of provenances")
    elif field != expected:
        d.wrong("cells.csv", at, "differs from the provenances of the matrix", expected, shown(field))
    else:
        d.count("fields of cells.csv")


def _text(value: Any) -> Any:
    return value if value is None or type(value) in (int, float, bool) else shown(_joined(value) if isinstance(value, (dict, list)) else value)


def _same(field: str, value: Any) -> bool:
    if value is None:
        return field == ""
    if isinstance(value, bool):
        return field == str(value).lower()
    if isinstance(value, (int, float)):
        return parse_number(field) == value
    text = _joined(value) if isinstance(value, (dict, list)) else value
    return field == text or field == "'" + text and text.startswith(_FORMULA)
