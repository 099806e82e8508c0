"""Requests to made-up serving engines, and what follows from them, written out plainly: tokens by how many there were before each edge, percentiles by counting."""

import json
import math

# of an engine: ms to the first token, ms a token, W a device, how its chunks tell tokens, whether it tells cached tokens and token ids
ENGINES = {
    "tiny-f16": {"first": 40.0, "token": 24.0, "watts": 340.0, "kinds": ["onePerChunk"], "cached": True, "ids": True, "parameters": {}},
    "tiny-q8": {"first": 28.0, "token": 15.0, "watts": 310.0, "kinds": ["chunks", "byText"], "cached": False, "ids": False, "parameters": {"threads": "2", "max-batch": "8"}},
}
SLOTS, MOST_TOKENS = 3, 12
LINES = ("firstToken", "perToken", "betweenTokens", "endToEnd")


def ask(rng, engine, begin, stop):
    """Rows of a closed loop between two instants, ns; those that run at the end are cut off."""
    rows = []
    for slot in range(SLOTS):
        now, stop_us = begin // 1000 + 7_000 * slot, stop // 1000
        while now < stop_us - 1000:
            asked = 1 if rng.random() < 0.12 else rng.randint(2, MOST_TOKENS)
            kind = rng.choice(engine["kinds"])
            sizes = [1] * asked
            if kind != "onePerChunk":
                sizes = []
                while sum(sizes) < asked:
                    sizes.append(min(rng.randint(1, 3), asked - sum(sizes)))
            if kind == "byText":
                sizes = [round(asked * (i + 1) / len(sizes), 4) - round(asked * i / len(sizes), 4) for i in range(len(sizes))]
            arrivals, at = [], 0.0
            for i, k in enumerate(sizes):
                at += (engine["first"] if i == 0 else engine["token"] * k) * rng.uniform(0.8, 1.3) * 1000
                arrivals.append([int(at), k])
            sent = now + rng.randrange(300)
            outcome, error = "ended", None
            if rng.random() < 0.04:
                outcome, error, arrivals = "failed", "the engine closed the stream", arrivals[:len(arrivals) // 2]
            elif sent + arrivals[-1][0] > stop_us:
                outcome, arrivals = "cancelled", [a for a in arrivals if sent + a[0] <= stop_us]
            end = min(stop_us, sent + (arrivals[-1][0] if arrivals else 900) + 150)
            rows.append({"scheduledMicroseconds": now, "sentMicroseconds": sent, "headersMicroseconds": sent + 400 if arrivals else None, "endMicroseconds": end,
                         "outcome": outcome, "status": 200 if arrivals else None, "error": error, "askedTokens": asked, "outputTokens": asked if outcome == "ended" else None,
                         "promptTokens": rng.randint(20, 60), "cachedTokens": 0 if engine["cached"] else None, "reasoningTokens": None,
                         "tokenIds": asked if engine["ids"] and outcome == "ended" else None, "finishReason": "length" if outcome == "ended" else None,
                         "timing": kind if arrivals else "unknown", "arrivals": arrivals})
            now = end + rng.randrange(2_000)
    rows.sort(key=lambda r: r["sentMicroseconds"])
    return [{"id": i, **r} for i, r in enumerate(rows)]


def lines(rows):
    return "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in rows).encode()


def output(row):
    return row["outputTokens"] if row["outputTokens"] is not None else sum(k for _, k in row["arrivals"])


def before(row, ns):
    """Tokens of a request before an instant."""
    done, last = 0.0, None
    for at, k in row["arrivals"]:
        here = 1000 * (row["sentMicroseconds"] + at)
        if here < ns:
            done += k
        elif last is not None and last < ns:
            done += k * (ns - last) / (here - last)
        last = here
    return done


def tokens(rows, start, end):
    return sum(before(r, end) - before(r, start) for r in rows)


def kept(milliseconds):
    """As a histogram keeps it: four digits."""
    return None if milliseconds is None else float(f"{milliseconds:.4g}")


def line(values):
    """Of µs, each as often as it was seen."""
    values = sorted(values)

    def percentile(p):
        return next((v for v in values if sum(1 for w in values if w <= v) * 100 >= p * len(values)), None)

    def ms(v):
        return None if v is None else kept(v / 1000)
    return {"count": len(values), "meanMilliseconds": ms(sum(values) / len(values)) if values else None, "p50Milliseconds": ms(percentile(50)), "p90Milliseconds": ms(percentile(90)),
            "p99Milliseconds": ms(percentile(99)), "mostMilliseconds": ms(max(values, default=None))}


def served(rows, start, end, limits, engine, name, sha, running):
    """`served` of a trial. limits: ms per token, ms to the first."""
    def inside(us):
        return start <= us * 1000 < end
    came = [r for r in rows if r["arrivals"]]
    begun = [r for r in came if inside(r["sentMicroseconds"] + r["arrivals"][0][0])]
    done = [r for r in came if r["outcome"] == "ended" and inside(r["sentMicroseconds"] + r["arrivals"][-1][0])]
    spans = {r["id"]: (r["arrivals"][-1][0] - r["arrivals"][0][0]) / (output(r) - 1) for r in done if output(r) > 1}
    good = [r for r in done if spans.get(r["id"], 0) <= 1000 * limits[0] and r["arrivals"][0][0] <= 1000 * limits[1]]
    gaps = []
    for r in came:
        for (t0, _), (t1, k) in zip(r["arrivals"], r["arrivals"][1:]):
            if inside(r["sentMicroseconds"] + t1):
                n = max(1, int(f"{k:.0f}"))
                gaps += [(t1 - t0) / n] * n
    timings = {r["timing"] for r in came if before(r, end) > before(r, start) or any(inside(r["sentMicroseconds"] + t) for t, _ in r["arrivals"])}
    cut = [r for r in rows if r["outcome"] != "ended"]
    had, more = sum(output(r) for r in rows), sum(r["askedTokens"] - output(r) for r in cut)
    late = line([r["sentMicroseconds"] - r["scheduledMicroseconds"] for r in rows if inside(r["sentMicroseconds"])])
    return {
        "stack": "llama-server", "version": "b9999", "arguments": ["--threads", "2"], "modelSha256": "ab" * 32, "launched": True, "requests": name, "requestsSha256": sha,
        "promptTokens": sum(r["promptTokens"] for r in begun), "cachedTokens": sum(r["cachedTokens"] for r in begun) if engine["cached"] else None, "endedRequests": len(done), "goodRequests": len(good),
        "latencies": {"firstToken": line([r["arrivals"][0][0] for r in begun]), "perToken": line(spans.values()), "betweenTokens": line(gaps), "endToEnd": line([r["arrivals"][-1][0] for r in done])},
        "tokenTiming": ", ".join(t for t in ("chunks", "onePerChunk", "byText", "unknown") if t in timings),
        "account": {"sent": len(rows), "ended": len(rows) - len(cut), "failed": sum(r["outcome"] == "failed" for r in cut), "cutOff": sum(r["outcome"] == "cancelled" for r in cut), "outputTokens": had,
                    "cutOffMost": more, "engineTokens": had + more / 2, "engineCounter": "llamacpp:tokens_predicted_total", "tokenIds": sum(r["tokenIds"] or 0 for r in rows) if engine["ids"] else -1,
                    "words": "tokens agree"},
        "meanRunning": running, "meanWaiting": 0.0, "kvUse": None, "addedMilliseconds": 0.4 + running / 100, "latenessMilliseconds": late["p99Milliseconds"],
    }


def row(nest, pairs, statistic, limits, estimates, net):
    """`serving` of a row and whether s* is met. nest: (document, value) → nested mean; pairs: (document, J per token); estimates: of energy and time."""
    def mean(value):
        told = [(d, value(d["served"], d["legs"][0]["tokens"], d["legs"][0]["windowSeconds"], e)) for d, e in pairs]
        return nest([(d, v) for d, v in told if v is not None]) if any(v is not None for _, v in told) else None

    def geometric(value):
        return math.exp(mean(lambda *a: math.log(value(*a))))
    told = [d["served"] for d, _ in pairs]
    latencies = {name: {"count": sum(s["latencies"][name]["count"] for s in told), **{k: mean(lambda s, n, w, e: s["latencies"][name][k]) for k in
                        ("meanMilliseconds", "p50Milliseconds", "p90Milliseconds", "p99Milliseconds")}, "mostMilliseconds": max(s["latencies"][name]["mostMilliseconds"] for s in told)} for name in LINES}
    cached = [s["cachedTokens"] for s in told]
    per_token, first = latencies["perToken"][f"{statistic}Milliseconds"], latencies["firstToken"][f"{statistic}Milliseconds"]
    return {
        "joulesPerToken": estimates[0], "secondsPerToken": estimates[1], "netJoulesPerToken": net,
        "joulesPerTotalToken": geometric(lambda s, n, w, e: e * n / (n + s["promptTokens"])), "joulesPerRequest": geometric(lambda s, n, w, e: e * n / s["endedRequests"]),
        "outputTokensPerSecond": geometric(lambda s, n, w, e: n / w), "requestsPerSecond": geometric(lambda s, n, w, e: s["endedRequests"] / w), "latencies": latencies,
        "goodRequestsPerSecond": {"value": mean(lambda s, n, w, e: s["goodRequests"] / w), "estimator": "counted", "reason": None},
        "goodRequestsPerJoule": {"value": mean(lambda s, n, w, e: s["goodRequests"] / (e * n)), "estimator": "counted", "reason": None},
        "cachedShare": None if None in cached else sum(cached) / sum(s["promptTokens"] for s in told), "sent": sum(s["account"]["sent"] for s in told),
        "failed": sum(s["account"]["failed"] for s in told), "meanRunning": mean(lambda s, n, w, e: s["meanRunning"]), "meanWaiting": mean(lambda s, n, w, e: s["meanWaiting"]), "kvUse": None,
        "addedMilliseconds": max(s["addedMilliseconds"] for s in told), "latenessMilliseconds": max(s["latenessMilliseconds"] for s in told), "serviceMilliseconds": per_token,
        "firstTokenMilliseconds": first, "reconciliation": ["tokens agree"], "versions": ["b9999"], "arguments": ["--threads 2"], "modelSha256": ["ab" * 32],
    }, per_token <= limits[0] and first <= limits[1]
