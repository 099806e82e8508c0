"""The statistics of docs/results.md: Student's T, intervals with a bounded bias, Holm, nested means, nested analysis of variance.

Everything is a pure function of numbers. Probabilities are computed from the tail that is small, so that small ones keep their digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Iterable, Sequence

# Γ(a + ½)/(√a·Γ(a)) as a series in 1/a (Tricomi and Erdélyi 1951); with these terms it is exact to 1e-16 from a = 60 on.
_HALF_STEP = (1.0, -1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144, 869 / 4194304, 39325 / 33554432)


def _gamma_half_step(a: float) -> float:
    """Γ(a + ½)/Γ(a); the difference of two logarithms of Γ would lose digits where a is large."""
    if a < 60:
        return math.gamma(a + 0.5) / math.gamma(a)
    total = 0.0
    for coefficient in reversed(_HALF_STEP):
        total = total / a + coefficient
    return math.sqrt(a) * total


def _continued_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b) (Abramowitz and Stegun 26.5.8), by Lentz' method; converges fast for x < (a + 1)/(a + b + 2)."""
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 2000):
        for numerator in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            step = c * d
            value *= step
        if abs(step - 1.0) < 1e-16:
            break
    return value


def upper_tail(x: float, dof: int) -> float:
    """P(T > x) for Student's T with `dof` ≥ 1 degrees of freedom: half the regularised incomplete beta function I_{ν/(ν+x²)}(ν/2, ½) for x ≥ 0."""
    if x < 0:
        return 1.0 - upper_tail(-x, dof)
    if x == 0:
        return 0.5
    a, square = dof / 2.0, x * x
    if math.isinf(square):
        return 0.0
    inside, outside = dof / (dof + square), square / (dof + square)
    # x^a (1 − x)^b / B(a, b), with Γ(½) = √π; log1p where the base is near one.
    log_power = -a * math.log1p(square / dof) + 0.5 * math.log(outside)
    front = math.exp(log_power) * _gamma_half_step(a) / math.sqrt(math.pi)
    if inside < (a + 1) / (a + 2.5):
        return 0.5 * front * _continued_fraction(a, 0.5, inside) / a
    return 0.5 * (1.0 - front * _continued_fraction(0.5, a, outside) / 0.5)


def student_cdf(x: float, dof: int) -> float:
    """F(x) of Student's T."""
    return upper_tail(-x, dof)


def _density(x: float, dof: int) -> float:
    return _gamma_half_step(dof / 2.0) / math.sqrt(dof * math.pi) * math.exp(-(dof + 1) / 2.0 * math.log1p(x * x / dof))


def _root(excess, slope, low: float, high: float) -> float:
    """The root of a falling function between low and high: Newton's steps, halving wherever one leaves the bracket."""
    x = (low + high) / 2
    for _ in range(200):
        y = excess(x)
        if y == 0:
            return x
        if y > 0:
            low = x
        else:
            high = x
        derivative = slope(x)
        following = x - y / derivative if derivative < 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= 2e-16 * abs(following) or following in (low, high):
            return following
        x = following
    return x


@lru_cache(maxsize=None)
def upper_quantile(tail: float, dof: int) -> float:
    """The x with P(T > x) = tail, 0 < tail < 1."""
    if tail > 0.5:
        return -upper_quantile(1.0 - tail, dof)
    if tail == 0.5:
        return 0.0
    high = 1.0
    while upper_tail(high, dof) > tail:
        high *= 2
    return _root(lambda x: upper_tail(x, dof) - tail, lambda x: -_density(x, dof), 0.0, high)


@lru_cache(maxsize=None)
def bounded_bias_quantile(alpha: float, dof: int, bias: float) -> float:
    """cv(α, ν, B/se): the 1 − α quantile of |T_ν + bias| (Armstrong and Kolesár, Econometrica 86, 2018, with Student's T for the normal).

    P(|T + b| > c) = P(T > c − b) + P(T > c + b). It lies between b + t(1 − α) and b + t(1 − α/2), which brackets the root.
    """
    if bias == 0:
        return upper_quantile(alpha / 2, dof)
    low, high = bias + upper_quantile(alpha, dof), bias + upper_quantile(alpha / 2, dof)
    if bias > 1e9 * max(1.0, high - bias):
        return low
    return _root(
        lambda c: upper_tail(c - bias, dof) + upper_tail(c + bias, dof) - alpha,
        lambda c: -_density(c - bias, dof) - _density(c + bias, dof),
        max(0.0, low), high)


def half_width(standard_error: float, dof: int, alpha: float, bound: float) -> float:
    """h = se·cv(α, ν, B/se); B where se = 0."""
    if standard_error == 0:
        return bound
    bias = bound / standard_error
    if math.isinf(bias):
        return bound
    return standard_error * bounded_bias_quantile(alpha, dof, bias)


def p_value(difference: float, standard_error: float, dof: int, bound: float) -> float:
    """The smallest α whose interval excludes 0: P(|T + B/se| > |difference|/se)."""
    if standard_error == 0:
        return 0.0 if abs(difference) > bound else 1.0
    size, bias = abs(difference) / standard_error, bound / standard_error
    return upper_tail(size - bias, dof) + upper_tail(size + bias, dof)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down p-values, in the order given: over the sorted ones, max over i ≤ k of min(1, (m − i + 1)·p_(i))."""
    m = len(p_values)
    adjusted, worst = [0.0] * m, 0.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted


@dataclass(frozen=True)
class Observation:
    """One trial's number: where it was seen, and in which pass."""

    node: str
    device_group: str
    pass_number: int
    value: float


@dataclass(frozen=True)
class NestedMean:
    """A nested mean, what its independent units are, and its type A standard error."""

    value: float
    scope: str
    units: int
    standard_error: float | None
    dof: int

    def student(self, alpha: float) -> float | None:
        """Half-width of the 1 − α Student interval."""
        return None if self.standard_error is None else self.standard_error * upper_quantile(alpha / 2, self.dof)


def in_order(observations: Iterable[Observation]) -> list[Observation]:
    """Sorted by (node, device group, pass)."""
    return sorted(observations, key=lambda o: (o.node, o.device_group, o.pass_number))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def sample_deviation(values: Sequence[float]) -> float:
    centre = _mean(values)
    return math.sqrt(sum((v - centre) ** 2 for v in values) / (len(values) - 1))


def _tree(observations: Iterable[Observation]) -> dict[str, dict[str, list[float]]]:
    tree: dict[str, dict[str, list[float]]] = {}
    for o in in_order(observations):
        tree.setdefault(o.node, {}).setdefault(o.device_group, []).append(o.value)
    return tree


def nested_mean(observations: Iterable[Observation], first_stage: int) -> NestedMean:
    """Over the passes of a device group, then its node's device groups unweighted, then the nodes. At least one observation.

    first_stage: n0. Where passes are the units, their scatter is taken from the first max(2, n0) of them (Stein).
    """
    tree = _tree(observations)
    groups = {node: [_mean(passes) for passes in below.values()] for node, below in tree.items()}
    nodes = [_mean(means) for means in groups.values()]
    value = _mean(nodes)
    if len(nodes) >= 2:
        scope, units, spread = "nodes", nodes, nodes
    elif len(next(iter(groups.values()))) >= 2:
        scope, units = "this node", next(iter(groups.values()))
        spread = units
    else:
        units = next(iter(next(iter(tree.values())).values()))
        scope, spread = ("this device" if len(units) >= 2 else "none"), units[:max(2, first_stage)]
    if len(units) < 2:
        return NestedMean(value, "none", len(units), None, 0)
    return NestedMean(value, scope, len(units), sample_deviation(spread) / math.sqrt(len(units)), len(spread) - 1)


@dataclass(frozen=True)
class SpreadParts:
    """Standard deviations of the levels; None where a level cannot be told apart from what is below it."""

    passes: float | None = None
    device: float | None = None
    node: float | None = None
    device_and_node: float | None = None


def spread_parts(observations: Iterable[Observation]) -> SpreadParts:
    """Nested analysis of variance by moments with unequal numbers (Searle, Casella, McCulloch, Variance Components, 1992, §5.3).

    With N observations in D device groups on a nodes, numbers n_ij and n_i.:
    E(MS_pass) = σ²_p;  E(MS_device) = σ²_p + k1·σ²_d;  E(MS_node) = σ²_p + k2·σ²_d + k3·σ²_n.
    """
    tree = _tree(observations)
    total = sum(len(passes) for below in tree.values() for passes in below.values())
    groups, nodes = sum(len(below) for below in tree.values()), len(tree)
    if total == groups:
        return SpreadParts()
    grand = sum(v for below in tree.values() for passes in below.values() for v in passes) / total
    within = between = above = 0.0
    squares_over_node = squares = node_squares = 0.0
    for below in tree.values():
        size = sum(len(passes) for passes in below.values())
        centre = sum(v for passes in below.values() for v in passes) / size
        above += size * (centre - grand) ** 2
        node_squares += size * size
        for passes in below.values():
            mean = _mean(passes)
            within += sum((v - mean) ** 2 for v in passes)
            between += len(passes) * (mean - centre) ** 2
            squares_over_node += len(passes) ** 2 / size
            squares += len(passes) ** 2
    pass_variance = within / (total - groups)

    def shown(variance: float) -> float:
        return math.sqrt(max(0.0, variance))

    if groups == 1:
        return SpreadParts(shown(pass_variance))
    k3 = (total - node_squares / total) / (nodes - 1) if nodes > 1 else 0.0
    if groups == nodes:
        return SpreadParts(shown(pass_variance), device_and_node=shown((above / (nodes - 1) - pass_variance) / k3))
    k1 = (total - squares_over_node) / (groups - nodes)
    device_variance = (between / (groups - nodes) - pass_variance) / k1
    if nodes == 1:
        return SpreadParts(shown(pass_variance), shown(device_variance))
    k2 = (squares_over_node - squares / total) / (nodes - 1)
    node_variance = (above / (nodes - 1) - pass_variance - k2 * device_variance) / k3
    return SpreadParts(shown(pass_variance), shown(device_variance), shown(node_variance))
