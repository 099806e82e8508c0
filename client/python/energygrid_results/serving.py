"""What a serving engine was asked and what it answered: the rows of `requests/NAME.ndjson` and what follows from them over a window.

Times of rows are µs since the trial's originUtc; edges are ns since it. Tokens of a chunk lie evenly between the chunk before it and its own arrival.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable

from .reading import Damaged, integer, items, member, number, number_or_none, parse_json, shown, text, text_or_none, texts

OUTCOMES = ("ended", "failed", "cancelled")
# How it is known when tokens came, in the order in which several are named.
TIMINGS = ("chunks", "onePerChunk", "byText", "unknown")
LATENCIES = ("firstToken", "perToken", "betweenTokens", "endToEnd")
STATISTICS = ("meanMilliseconds", "p50Milliseconds", "p90Milliseconds", "p99Milliseconds", "mostMilliseconds")
# An engine's counter and the tokens that came may differ by this share.
RECONCILED = 0.001

_COUNTS = ("outputTokens", "promptTokens", "cachedTokens", "reasoningTokens", "tokenIds")
_LATEST_MICROSECONDS = 1e15
_MOST_TOKENS = 10**12
_LONGEST_LINE = 64 * 2**20
_MOST_TOLD = 20


@dataclass(frozen=True)
class Request:
    """A request as its row has it: µs since originUtc, None where it never came to that. arrivals: (µs since sent, tokens)."""

    id: int
    scheduled: float | None
    sent: float | None
    outcome: str
    asked: int
    output: int | None
    prompt: int | None
    cached: int | None
    token_ids: int | None
    timing: str
    arrivals: tuple[tuple[float, float], ...]

    @property
    def tokens(self) -> float:
        """Output tokens: as the engine counts them, else those of the arrivals."""
        return float(self.output) if self.output is not None else math.fsum(k for _, k in self.arrivals)

    @property
    def first(self) -> float | None:
        return self.sent + self.arrivals[0][0] if self.arrivals else None

    @property
    def last(self) -> float | None:
        return self.sent + self.arrivals[-1][0] if self.arrivals else None

    @property
    def per_token(self) -> float | None:
        """µs between tokens; None for one token or none."""
        return (self.arrivals[-1][0] - self.arrivals[0][0]) / (self.tokens - 1) if self.arrivals and self.tokens >= 2 else None


@dataclass(frozen=True)
class Latency:
    """How long something took, ms; None where nothing was seen."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p99: float | None
    most: float | None


@dataclass(frozen=True)
class Account:
    """Over the whole trial. engine_tokens: None where the engine does not count; token_ids: -1 where no stream held ids."""

    sent: int
    ended: int
    failed: int
    cut_off: int
    output_tokens: float
    cut_off_most: float
    token_ids: int
    engine_tokens: float | None = None


@dataclass(frozen=True)
class Told:
    """What a trial says that no row shows."""

    version: str
    model_sha256: str
    requests: str
    requests_sha256: str
    running: float | None
    waiting: float | None
    kv_use: float | None
    added: float | None


@dataclass(frozen=True)
class Served:
    """`served` of a trial: as it stands there (told is its own), or of our own from the rows (told is None). tokens: those within the window; None of what stands there."""

    tokens: float | None
    prompt_tokens: float | None
    cached_tokens: float | None
    ended_requests: int
    good_requests: float | None
    latencies: dict[str, Latency]
    timing: str
    account: Account
    lateness: float | None
    told: Told | None


@dataclass(frozen=True)
class Limits:
    """What a good request may take, ms: between tokens, and to the first one, None where the plan has no such limit."""

    per_token: float
    first_token: float | None


# Rows

def parse_requests(data: bytes, what: str, tell: Callable[[str, str], None]) -> list[Request] | None:
    """The rows of a trial's requests. None where a row is damaged; tell receives the line and a sentence for each of the first ones."""
    requests: list[Request] = []
    damaged = 0
    lines = data.split(b"\n")
    if lines[-1]:
        tell(f"line {len(lines)}", "has no end")
        damaged += 1
    del lines[-1]
    for n, line in enumerate(lines, 1):
        try:
            if len(line) > _LONGEST_LINE:
                raise Damaged(f"{what} line {n} is longer than {_LONGEST_LINE >> 20} MiB")
            requests.append(_request(parse_json(line, f"{what} line {n}"), f"line {n}"))
        except (Damaged, ArithmeticError) as error:
            damaged += 1
            if damaged <= _MOST_TOLD:
                tell(f"line {n}", shown(str(error)))
    if damaged > _MOST_TOLD:
        tell("", f"{damaged - _MOST_TOLD} more lines are damaged")
    return None if damaged else requests


def _request(row: Any, where: str) -> Request:
    def instant(name: str) -> float | None:
        value = member(row, name, where)
        if value is None:
            return None
        number(row, name, where)
        if not abs(value) <= _LATEST_MICROSECONDS:
            raise Damaged(f"{where}.{name} is no instant: {shown(value, 30)}")
        return value

    def count(name: str) -> int | None:
        value = None if member(row, name, where) is None else integer(row, name, where)
        if value is not None and not 0 <= value <= _MOST_TOKENS:
            raise Damaged(f"{where}.{name} is {shown(value, 30)}, which no request can have")
        return value

    scheduled, sent, headers, end = (instant(f"{name}Microseconds") for name in ("scheduled", "sent", "headers", "end"))
    outcome, timing = text(row, "outcome", where), text(row, "timing", where)
    if outcome not in OUTCOMES:
        raise Damaged(f"{where}.outcome is '{shown(outcome, 30)}'")
    if timing not in TIMINGS:
        raise Damaged(f"{where}.timing is '{shown(timing, 30)}'")
    if member(row, "status", where) is not None:
        integer(row, "status", where)
    for name in ("error", "finishReason"):
        member(row, name, where)
        text_or_none(row, name, where)
    number_of, asked = integer(row, "id", where), count("askedTokens")
    counts = {name: count(name) for name in _COUNTS}
    if asked is None or number_of < 0:
        raise Damaged(f"{where} has no id or no askedTokens")
    arrivals: list[tuple[float, float]] = []
    for i, arrival in enumerate(items(row, "arrivals", where)):
        if not isinstance(arrival, list) or len(arrival) != 2 or not all(type(x) in (int, float) for x in arrival):
            raise Damaged(f"{where}.arrivals[{i}] is not [time since sent, tokens]")
        at, tokens = arrival
        if not (0 <= at <= _LATEST_MICROSECONDS and 0 <= tokens <= _MOST_TOKENS):
            raise Damaged(f"{where}.arrivals[{i}] is no arrival: {shown(at, 30)}, {shown(tokens, 30)}")
        if arrivals and at < arrivals[-1][0]:
            raise Damaged(f"{where}.arrivals[{i}] came before the one before it")
        arrivals.append((at, tokens))
    if sent is None and (arrivals or outcome == "ended"):
        raise Damaged(f"{where} was never sent, and was answered")
    if sent is not None and (end is not None and end < sent or headers is not None and headers < sent):
        raise Damaged(f"{where} was answered before it was sent")
    return Request(number_of, scheduled, sent, outcome, asked, counts["outputTokens"], counts["promptTokens"], counts["cachedTokens"], counts["tokenIds"], timing, tuple(arrivals))


def contradictions(requests: list[Request]) -> list[tuple[int, str]]:
    """(line, sentence) for each row that cannot stand where it does or says more than the engine counted; at most a few."""
    found: list[tuple[int, str]] = []
    seen: dict[int, int] = {}
    latest = -math.inf
    for line, r in enumerate(requests, 1):
        if r.id in seen:
            found.append((line, f"is request {shown(r.id, 20)}, as line {seen[r.id]} is"))
        elif r.id >= len(requests):
            found.append((line, f"is request {shown(r.id, 20)} of {len(requests)}: one before it is missing"))
        seen.setdefault(r.id, line)
        if r.sent is not None:
            if r.sent < latest:
                found.append((line, "was sent before the line before it"))
            latest = max(latest, r.sent)
        came = math.fsum(k for _, k in r.arrivals)
        if r.output is not None and r.arrivals and abs(came - r.output) > 1e-6 * max(1, r.output):
            found.append((line, f"has {came:.9g} tokens in its arrivals, and outputTokens is {shown(r.output, 30)}"))
    return found[:_MOST_TOLD]


# Figures

def _latency(weighted: list[tuple[float, int]]) -> Latency:
    """Of (µs, how often)."""
    count = sum(n for _, n in weighted)
    if not count:
        return Latency(0, None, None, None, None, None)
    weighted.sort()

    def percentile(percent: int) -> float:
        # The least of the values that at least so many per cent of all lie at or below.
        rank, below = -(-percent * count // 100), 0
        for value, n in weighted:
            below += n
            if below >= rank:
                return value / 1000
        return weighted[-1][0] / 1000

    return Latency(count, math.fsum(value * n for value, n in weighted) / count / 1000, percentile(50), percentile(90), percentile(99), weighted[-1][0] / 1000)


def tokens_within(request: Request, start: int, end: int) -> float:
    """Output tokens of [start, end), ns: the first chunk's at its arrival, the others' evenly since the chunk before."""
    shares, before = [], None
    for at, tokens in request.arrivals:
        here = (request.sent + at) * 1000
        if before is None or here <= before:
            shares.append(tokens if start <= here < end else 0.0)
        else:
            inside = min(here, end) - max(before, start)
            shares.append(tokens * (inside / (here - before)) if inside > 0 else 0.0)
        before = here
    return math.fsum(shares)


def served(requests: list[Request], start: int, end: int, limits: Limits | None) -> Served:
    """All that follows from a trial's rows over the window [start, end), ns. limits: None where the plan's are not known; good requests are then not."""
    def within(microseconds: float | None) -> bool:
        return microseconds is not None and start <= microseconds * 1000 < end

    begun = [r for r in requests if within(r.first)]
    ended = [r for r in requests if r.outcome == "ended" and within(r.last)]
    between: list[tuple[float, int]] = []
    timings = set()
    tokens = []
    for r in requests:
        inside = tokens_within(r, start, end)
        tokens.append(inside)
        if inside > 0 or any(within(r.sent + at) for at, _ in r.arrivals):
            timings.add(r.timing)
        for (before, _), (at, k) in zip(r.arrivals, r.arrivals[1:]):
            if within(r.sent + at):
                gaps = max(1, round(k))
                between.append(((at - before) / gaps, gaps))
    lateness = _latency([(r.sent - r.scheduled, 1) for r in requests if within(r.sent) and r.scheduled is not None])
    return Served(
        math.fsum(tokens),
        _all_told([r.prompt for r in begun]), _all_told([r.cached for r in begun]), len(ended),
        None if limits is None else float(sum(1 for r in ended if is_good(r, limits))),
        {
            "firstToken": _latency([(r.arrivals[0][0], 1) for r in begun]),
            "perToken": _latency([(r.per_token, 1) for r in ended if r.per_token is not None]),
            "betweenTokens": _latency(between),
            "endToEnd": _latency([(r.arrivals[-1][0], 1) for r in ended]),
        },
        ", ".join(word for word in TIMINGS if word in timings), account(requests), lateness.p99, None)


def _all_told(values: list[int | None]) -> float | None:
    return None if any(v is None for v in values) else float(sum(values))


def is_good(request: Request, limits: Limits) -> bool:
    """Whether a request that ended held both limits. One token has no time between tokens."""
    def holds(milliseconds: float, limit: float) -> bool:
        # At the limit itself the last digit is a matter of how it is computed.
        return milliseconds <= limit * (1 + 1e-12)

    return ((request.per_token is None or holds(request.per_token / 1000, limits.per_token))
            and (limits.first_token is None or holds(request.arrivals[0][0] / 1000, limits.first_token)))


def account(requests: list[Request]) -> Account:
    cut = [r for r in requests if r.outcome != "ended"]
    ids = [r.token_ids for r in requests if r.token_ids is not None]
    return Account(
        len(requests), len(requests) - len(cut), sum(1 for r in cut if r.outcome == "failed"), sum(1 for r in cut if r.outcome == "cancelled"),
        math.fsum(r.tokens for r in requests), math.fsum(max(0.0, r.asked - r.tokens) for r in cut), sum(ids) if ids else -1)


def is_reconciled(output_tokens: float, cut_off_most: float, engine_tokens: float) -> bool:
    return output_tokens * (1 - RECONCILED) * (1 - 1e-12) <= engine_tokens <= (output_tokens + cut_off_most) * (1 + RECONCILED) * (1 + 1e-12)


# As a trial says

def parse_served(value: Any, where: str) -> Served:
    """`served` of a trial as it stands."""
    def whole(container: Any, name: str, at: str) -> int:
        found = integer(container, name, at)
        if abs(found) > 10**15:
            raise Damaged(f"{at}.{name} is {shown(found, 30)}, which nothing here can be")
        return found

    def latency(name: str) -> Latency:
        at = f"{where}.latencies.{name}"
        line = member(member(value, "latencies", where), name, f"{where}.latencies")
        for statistic in STATISTICS:
            member(line, statistic, at)
        return Latency(whole(line, "count", at), *(number_or_none(line, statistic, at) for statistic in STATISTICS))

    texts(value, "arguments", where)
    for name in ("stack", "tokenTiming"):
        text(value, name, where)
    if type(member(value, "launched", where)) is not bool:
        raise Damaged(f"{where}.launched is neither true nor false")
    for name in ("promptTokens", "cachedTokens", "goodRequests", "meanRunning", "meanWaiting", "kvUse", "addedMilliseconds", "latenessMilliseconds"):
        member(value, name, where)
    said, at = member(value, "account", where), f"{where}.account"
    member(said, "engineTokens", at)
    return Served(
        None, number_or_none(value, "promptTokens", where), number_or_none(value, "cachedTokens", where), whole(value, "endedRequests", where), number_or_none(value, "goodRequests", where),
        {name: latency(name) for name in LATENCIES}, value["tokenTiming"],
        Account(*(whole(said, name, at) for name in ("sent", "ended", "failed", "cutOff")), number(said, "outputTokens", at), number(said, "cutOffMost", at), whole(said, "tokenIds", at),
                number_or_none(said, "engineTokens", at)),
        number_or_none(value, "latenessMilliseconds", where),
        Told(text(value, "version", where), text(value, "modelSha256", where), text(value, "requests", where), text(value, "requestsSha256", where), number_or_none(value, "meanRunning", where),
             number_or_none(value, "meanWaiting", where), number_or_none(value, "kvUse", where), number_or_none(value, "addedMilliseconds", where)))
