"""Serving engines: what follows from their requests by hand, and forgeries with right hashes everywhere."""

import json
import os
import unittest

from energygrid_results import load, serving
from energygrid_results.plan import parse
from energygrid_results.reading import Damaged
from energygrid_results.verification import verify

from . import made, served
from .directories import DirectoryTest, whole
from .test_forgery import unwatched


def request(number=0, sent=0, arrivals=((1000, 1),), **more):
    row = {"id": number, "scheduledMicroseconds": sent, "sentMicroseconds": sent, "headersMicroseconds": None, "endMicroseconds": None, "outcome": "ended", "status": 200, "error": None,
           "askedTokens": 64, "outputTokens": None, "promptTokens": 10, "cachedTokens": 0, "reasoningTokens": None, "tokenIds": None, "finishReason": "stop", "timing": "chunks",
           "arrivals": [list(a) for a in arrivals], **more}
    return row


def rows_of(*rows):
    told = []
    found = serving.parse_requests(served.lines(rows), "requests/it.ndjson", lambda where, text: told.append(f"{where}: {text}"))
    assert not told, told
    return found


class WindowTests(unittest.TestCase):
    """A window of 10 to 20 ms."""

    def within(self, *arrivals, **more):
        return serving.served(rows_of(request(arrivals=arrivals, **more)), 10_000_000, 20_000_000, serving.Limits(5.0, 12.0))

    def test_a_window_gets_its_share_of_a_chunk_its_first_edge_included_and_its_second_not(self):
        for arrivals, share in ((((10_000, 1),), 1), (((9_999, 1),), 0), (((20_000, 1),), 0), (((19_999, 3),), 3), (((5_000, 1), (15_000, 4)), 2), (((5_000, 1), (25_000, 4)), 2),
                                (((15_000, 2), (25_000, 4)), 4), (((12_000, 1), (12_000, 5)), 6), (((20_000, 1), (20_000, 5)), 0), (((8_000, 1), (10_000, 5)), 0), (((1, 1), (10_001, 10)), 0.001)):
            self.assertAlmostEqual(self.within(*arrivals).tokens, share, delta=1e-12, msg=arrivals)

    def test_windows_beside_each_other_share_all_tokens(self):
        rows = served.ask(made.random.Random(3), served.ENGINES["tiny-q8"], 0, 3_000_000_000)
        found, edges = rows_of(*rows), [0, 7, 500_000_001, 1_234_567_890, 2_000_000_000, 4_000_000_000]
        parts = [serving.served(found, a, b, None).tokens for a, b in zip(edges, edges[1:])]
        self.assertAlmostEqual(sum(parts), sum(k for r in rows for _, k in r["arrivals"]), delta=1e-9)

    def test_what_begins_or_ends_within_counts_there(self):
        came = self.within((9_000, 1), (15_000, 1))
        self.assertEqual((0.0, 1, 0, 1), (came.prompt_tokens, came.ended_requests, came.latencies["firstToken"].count, came.latencies["endToEnd"].count))
        goes = self.within((10_000, 1), (20_000, 1))
        self.assertEqual((10.0, 0, 1, 0), (goes.prompt_tokens, goes.ended_requests, goes.latencies["firstToken"].count, goes.latencies["perToken"].count))
        self.assertEqual(0, self.within((9_000, 1), (15_000, 1), outcome="failed").ended_requests)

    def test_a_good_request_holds_both_limits_and_one_token_the_second_alone(self):
        for arrivals, good in ((((12_000, 1), (17_000, 1)), 1), (((12_000, 1), (17_001, 1)), 0), (((12_001, 1), (15_000, 1)), 0), (((11_000, 1), (19_000, 3)), 1), (((12_000, 1),), 1), (((12_001, 1),), 0)):
            self.assertEqual(good, self.within(*arrivals).good_requests, arrivals)

    def test_a_gap_of_k_tokens_counts_as_k(self):
        line = self.within((9_000, 1), (15_000, 3), (16_000, 0.2), (25_000, 1)).latencies["betweenTokens"]
        self.assertEqual((4, 2.0, 2.0, 2.0), (line.count, line.p50, line.p90, line.most))
        self.assertAlmostEqual(line.mean, 1.75)

    def test_a_percentile_is_the_least_that_so_many_lie_at_or_below(self):
        line = serving._latency([(v * 1000.0, 1) for v in range(10, 0, -1)])
        self.assertEqual((5.0, 9.0, 10.0, 10.0), (line.p50, line.p90, line.p99, line.most))
        self.assertEqual((1.0, 1.0, 2.0), (lambda x: (x.p50, x.p90, x.most))(serving._latency([(1000.0, 99), (2000.0, 1)])))

    def test_what_a_request_does_not_tell_is_not_zero(self):
        self.assertIsNone(self.within((11_000, 1), cachedTokens=None).cached_tokens)
        self.assertIsNone(self.within((11_000, 1), promptTokens=None).prompt_tokens)

    def test_the_account_is_of_all_requests(self):
        found = serving.account(rows_of(request(0, outputTokens=5, tokenIds=5), request(1, 10, ((900, 2.5),), outcome="failed"), request(2, 20, (), outcome="cancelled"), request(3, 30, outputTokens=7)))
        self.assertEqual((4, 2, 1, 1, 14.5, 61.5 + 64, 5), (found.sent, found.ended, found.failed, found.cut_off, found.output_tokens, found.cut_off_most, found.token_ids))
        self.assertEqual(-1, serving.account(rows_of(request())).token_ids)


class RowTests(unittest.TestCase):
    def test_damaged_rows_are_told_by_line(self):
        good = served.lines([request()])
        for what, row in (("id", {"id": -1}), ("status", {"status": "200"}), ("outcome", {"outcome": "done"}), ("timing", {"timing": "guessed"}), ("arrivals[0]", {"arrivals": [[1]]}),
                          ("arrivals[0]", {"arrivals": [[-1, 1]]}), ("arrivals[1]", {"arrivals": [[5, 1], [4, 1]]}), ("arrivals[0]", {"arrivals": [[True, 1]]}), ("arrivals", {"arrivals": {}}),
                          ("outputTokens", {"outputTokens": 1.5}), ("sentMicroseconds", {"sentMicroseconds": 1e16}), ("never sent", {"sentMicroseconds": None}), ("error", {"error": 5}),
                          ("before it was sent", {"sentMicroseconds": 5, "endMicroseconds": 4}), ("askedTokens", {"askedTokens": None}), ("promptTokens", {"promptTokens": 10**13})):
            told = []
            self.assertIsNone(serving.parse_requests(good + served.lines([request(1) | row]), "requests/x", lambda where, text: told.append((where, text))))
            self.assertEqual(1, len(told), what)
            self.assertEqual("line 2", told[0][0])
            self.assertIn(what, told[0][1])
        for data in (b"x\n", b"\n", b'{"id":0,"id":0}\n', good[:-1], b"[" * 100_000 + b"\n", b"\xff\n", b"{}\n" * 1000):
            told = []
            self.assertIsNone(serving.parse_requests(data, "requests/x", lambda *text: told.append(text)))
            self.assertTrue(1 <= len(told) <= 21)
        self.assertEqual([], serving.parse_requests(b"", "requests/x", lambda *_: self.fail()))

    def test_rows_that_contradict_each_other(self):
        for what, rows in (("as line 1 is", [request(0), request(0, 5)]), ("one before it is missing", [request(0), request(2, 5)]), ("sent before", [request(0, 9), request(1, 5)]),
                           ("tokens in its arrivals", [request(0, outputTokens=4, arrivals=((1, 4.1),)), request(1)])):
            self.assertIn(what, " ".join(text for _, text in serving.contradictions(rows_of(*rows))))
        self.assertEqual([], serving.contradictions(rows_of(request(1, 5), request(0, 5), request(2, 7, outputTokens=9, arrivals=[]))))
        self.assertEqual([3], [line for line, _ in serving.contradictions(rows_of(request(1, 5), request(0, 5), request(2, 7, outputTokens=9)))])


class PlanTests(unittest.TestCase):
    def test_names_of_parameters_may_stand_in_quotes(self):
        self.assertEqual({"engine": {"max-batch": "8", "a.b: c": "d"}}, parse(b'engine:\n  max-batch: "8"\n  "a.b: c": "d"\n', "p"))
        self.assertEqual({"engine": {"max-batch": "8", "a: b": "1"}}, parse(b'engine: {max-batch: "8", "a: b": "1"}\n', "p"))
        with self.assertRaises(Damaged):
            parse(b'engine: {"a": "1", a: "2"}\n', "p")


class WholeServedTests(unittest.TestCase):
    def test_it_shows_what_it_was_made_for(self):
        matrix = json.loads(made.read(whole("serve"), "matrix.json"))
        rows = {r["label"]: r for g in matrix["groups"] for r in g["rows"]}
        documents = [d for d in made.get_journal(whole("serve"), "trials.ndjson") if "served" in d]
        self.assertEqual({"tokens are not the engine's": 1}, {k: v for k, v in rows["tiny-q8"]["invalidations"].items() if "engine" in k})
        self.assertEqual((False, True), (rows["tiny-f16"]["meetsService"], rows["tiny-q8"]["meetsService"]))
        self.assertEqual((0.0, None), (rows["tiny-f16"]["serving"]["cachedShare"], rows["tiny-q8"]["serving"]["cachedShare"]))
        self.assertEqual({"onePerChunk", "chunks, byText"}, {d["served"]["tokenTiming"] for d in documents})
        self.assertTrue(any(d["served"]["account"]["failed"] for d in documents))
        self.assertTrue(all(0 < d["served"]["goodRequests"] <= d["served"]["endedRequests"] for d in documents))
        self.assertTrue(any(d["served"]["goodRequests"] < d["served"]["endedRequests"] for d in documents))
        self.assertLess(rows["tiny-q8"]["ratio"]["timeRatio"]["high"], 1)
        self.assertIsNotNone(rows["E"]["ratio"]["timeRatio"]["low"])

    def test_rows_are_flat_and_load_as_they_are_computed(self):
        rows = {r["label"]: r for r in load(whole("serve")).rows()}
        theirs = {r["label"]: r for g in json.loads(made.read(whole("serve"), "matrix.json"))["groups"] for r in g["rows"]}
        self.assertAlmostEqual(rows["tiny-q8"]["serving_seconds_per_token_value"], theirs["tiny-q8"]["serving"]["secondsPerToken"]["value"], delta=1e-12)
        self.assertAlmostEqual(rows["A"]["seconds_per_token_layer_value"], theirs["A"]["secondsPerTokenLayer"]["value"], delta=1e-12)
        self.assertIsNone(rows["A"]["serving_joules_per_token_value"])
        self.assertIsNone(rows["tiny-q8"]["joules_per_token_layer_value"])


class ServedForgeryTests(DirectoryTest):
    shape = "lone"

    def change(self, change, at=0):
        """Changes rows of a trial's requests (a list, or None for those of another) and its document, with right hashes."""
        documents = self.trials()
        document = documents[at]
        name = f"requests/{document['served']['requests']}"
        rows = [json.loads(line) for line in made.read(self.copy, name).splitlines()]
        rows = change(rows, document) or rows
        data = served.lines(rows)
        made.write(self.copy, name, data)
        document["served"]["requestsSha256"] = made.hashlib.sha256(data).hexdigest()
        self.put_trials(documents)

    def document(self, change, at=0):
        documents = self.trials()
        change(documents[at])
        self.put_trials(documents)

    def inside(self, rows, document):
        """A request of several tokens that began and ended within the window."""
        window = document["legs"][0]["evidence"]
        return next(r for r in rows if r["outcome"] == "ended" and len(r["arrivals"]) > 3 and window["fromNanoseconds"] < 1000 * r["sentMicroseconds"]
                    and 1000 * (r["sentMicroseconds"] + r["arrivals"][-1][0]) < window["toNanoseconds"])

    def test_a_row_that_is_gone(self):
        self.change(lambda rows, _: rows[:7] + rows[8:])
        self.assert_named("requests/", "one before it is missing")
        self.assert_named("line 1.served.account.sent")

    def test_a_row_that_is_gone_and_the_others_are_numbered_anew(self):
        self.change(lambda rows, _: [{**r, "id": i} for i, r in enumerate(rows[:7] + rows[8:])])
        self.assert_named("line 1.served.account.sent")
        self.assert_named("line 1.served.account.outputTokens")

    def test_a_count_of_tokens(self):
        def engine(rows, document):
            self.inside(rows, document)["outputTokens"] += 1
        self.change(engine)
        self.assert_named("line 1.served.account.outputTokens")
        self.setUp()

        def arrival(rows, document):
            self.inside(rows, document)["arrivals"][1][1] += 1
        self.change(arrival)
        self.assert_named("line 1.legs[0].steps")
        self.assert_named("requests/", "tokens in its arrivals, and outputTokens is")

    def test_arrivals_that_moved_over_an_edge(self):
        def move(rows, document):
            edge = document["legs"][0]["evidence"]["toNanoseconds"] // 1000
            r = next(r for r in rows if len(r["arrivals"]) > 3 and r["sentMicroseconds"] + r["arrivals"][1][0] < edge < r["sentMicroseconds"] + r["arrivals"][-1][0])
            for arrival in r["arrivals"]:
                arrival[0] = min(arrival[0], edge - 1 - r["sentMicroseconds"])
        self.change(move)
        self.assert_named("line 1.legs[0].steps")
        self.assert_named("line 1.legs[0].tokens")
        self.assert_named("line 1.served.latencies.betweenTokens.count")

    def test_requests_of_another_trial(self):
        documents = self.trials()
        one, other = documents[0]["served"], documents[2]["served"]
        for name in ("requests", "requestsSha256"):
            one[name], other[name] = other[name], one[name]
        self.put_trials(documents)
        self.assert_named("line 1.legs[0].steps")
        self.assert_named("line 3.served.account.outputTokens")
        self.setUp()
        documents = self.trials()
        documents[0]["served"].update({name: documents[2]["served"][name] for name in ("requests", "requestsSha256")})
        self.put_trials(documents)
        self.assert_named("line 3.served.requests", "are those of line 1.served")

    def test_a_checksum(self):
        name = f"requests/{self.trials()[1]['served']['requests']}"
        self.edit(name, b'"id":3,', b'"id":4,')
        self.assert_named(name, "is not the requests of its trial (line 2.served): its SHA-256 is another")
        self.assertTrue(any("could not be read; they were taken" in why for _, why in verify(self.copy).unchecked))

    def test_a_damaged_row(self):
        self.change(lambda rows, _: rows[3].pop("timing") and None)
        said = self.assert_named("requests/", "line 4", "timing is missing")
        self.assertEqual(1, len(said))

    def test_an_engine_that_counted_other_tokens(self):
        for factor, holds in ((1 - 0.0009, True), (1 - 0.0011, False)):
            self.document(lambda d: d["served"]["account"].update(engineTokens=d["served"]["account"]["outputTokens"] * factor))
            if holds:
                self.assertEqual([], self.sentences())
            else:
                self.assert_named("line 1.served.account.engineTokens", "the trial is valid; its requests have")
        for more, holds in ((0.0009, True), (0.0011, False)):
            self.document(lambda d: d["served"]["account"].update(engineTokens=(d["served"]["account"]["outputTokens"] + d["served"]["account"]["cutOffMost"]) * (1 + more)))
            self.assertEqual(holds, not self.sentences())
        self.document(lambda d: d["served"]["account"].update(engineTokens=None, engineCounter=""))
        self.assertEqual([], self.sentences())
        self.assertTrue(any("the engine does not count" in why for _, why in verify(self.copy).unchecked))

    def test_every_latency(self):
        def forge(d):
            for line in d["served"]["latencies"].values():
                for name in line:
                    line[name] = line[name] + 1 if name == "count" else line[name] * 1.01
            d["served"]["latenessMilliseconds"] *= 1.05
        self.document(forge)
        said = self.sentences()
        for name in served.LINES:
            for figure in ("count", *serving.STATISTICS):
                self.assertTrue(any(f"line 1.served.latencies.{name}.{figure}:" in s for s in said), (name, figure))
        self.assertTrue(any("line 1.served.latenessMilliseconds" in s for s in said))

    def test_what_a_histogram_does_is_no_difference(self):
        def forge(d):
            for line in d["served"]["latencies"].values():
                line["p50Milliseconds"] *= 1.0004
        self.document(forge)
        self.assertEqual([], [s for s in self.sentences() if s.startswith("trials.ndjson")])

    def test_every_count(self):
        for path in ("promptTokens", "cachedTokens", "endedRequests", "goodRequests", "account.sent", "account.ended", "account.failed", "account.cutOff", "account.outputTokens", "account.cutOffMost",
                     "account.tokenIds"):
            def forge(d):
                node = d["served"]
                for step in path.split(".")[:-1]:
                    node = node[step]
                node[path.split(".")[-1]] += 1
            self.document(forge)
            self.assert_named(f"line 1.served.{path}:")
            self.setUp()
        self.document(lambda d: d["served"].update(tokenTiming="byText"))
        self.assert_named("line 1.served.tokenTiming")
        self.setUp()
        self.document(lambda d: d["served"].update(stack="vllm"))
        self.assert_named("line 1.served.stack", "is not the plan's")

    def test_an_account_that_does_not_add_up(self):
        self.document(lambda d: d["served"]["account"].update(sent=d["served"]["account"]["sent"] + 1))
        self.assert_named("line 1.served.account:", "sent", "were cut off")

    def test_a_client_that_was_slow(self):
        for name in ("addedMilliseconds", "latenessMilliseconds"):
            self.document(lambda d: d["served"].update({name: 2.5}))
            self.assert_named(f"line 1.served.{name}", "the trial is valid")
            self.setUp()

    def test_step_marks_and_what_is_not_there(self):
        mark = {"beforeNanoseconds": 0, "before": 0, "afterNanoseconds": 10**12, "after": 10**6}
        self.document(lambda d: d["legs"][0]["evidence"]["sources"][0].update(firstSteps=mark, lastSteps=mark))
        self.assert_named("line 1.legs[0]", "step marks of a serving engine")
        for change, fragments in ((lambda d: d.pop("served"), ("line 1.served is missing",)), (lambda d: d["served"].pop("account"), ("line 1.served.account is missing",)),
                                  (lambda d: d["served"].update(requests="", requestsSha256=""), ("line 1.served.requests", "names no file")),
                                  (lambda d: d["served"].update(requests="../plan.yaml"), ("is not a name below requests/; it was not opened",)),
                                  (lambda d: d["legs"].append({**d["legs"][0], "layers": 0}), ("line 1 has 2 legs",)), (lambda d: d["legs"][0].update(layers=2), ("its plan wants [1]",))):
            self.setUp()
            self.document(change)
            self.assert_named(*fragments)

    def test_files_of_requests(self):
        name = f"requests/{self.trials()[0]['served']['requests']}"
        os.remove(os.path.join(self.copy, name))
        self.assert_named(f"{name} is missing; the manifest lists it")
        made.reseal(self.copy)
        self.assert_named(f"{name} is missing; the trial of line 1.served names it")
        self.setUp()
        made.write(self.copy, "requests/other.ndjson", b"")
        self.assert_named("requests/other.ndjson is in the directory, but not in the manifest")
        os.rename(os.path.join(self.copy, "requests"), os.path.join(self.copy, "asked"))
        os.symlink("asked", os.path.join(self.copy, "requests"))
        self.assert_named("requests/", "is missing; the manifest lists it")

    def test_a_sweep_that_goes_on_has_requests_that_its_manifest_does_not_know(self):
        lines = made.read(self.copy, "trials.ndjson").splitlines(keepends=True)
        events = made.get_journal(self.copy, "events.ndjson")
        later = {n: made.read(self.copy, n) for n in (f"requests/{d['served']['requests']}" for d in self.trials()[2:])}
        for name in ("matrix.json", "cells.csv", "report.html", *later):
            os.remove(os.path.join(self.copy, name))
        made.write(self.copy, "trials.ndjson", b"".join(lines[:2]))
        made.put_journal(self.copy, "events.ndjson", events[:1])
        manifest = json.loads(made.read(self.copy, "manifest.json"))
        manifest.update(phase="running", endedUtc=None, passes=manifest["passes"][:1])
        made.write_manifest(self.copy, manifest)
        made.write(self.copy, "trials.ndjson", b"".join(lines))
        for name, data in later.items():
            made.write(self.copy, name, data)
        self.assertEqual([], self.sentences())
        os.remove(os.path.join(self.copy, "manifest.json"))
        d = verify(self.copy)
        self.assertEqual(([], 4, True), (d.findings, d.format, d.live))

    def test_under_an_older_format(self):
        manifest = json.loads(made.read(self.copy, "manifest.json"))
        made.write_manifest(self.copy, {**manifest, "format": 3})
        self.assert_named("manifest.json: format", "says format 3, but trials of serving engines are of format 4 (line 1 of trials.ndjson and 5 more)")

    def test_an_engine_with_other_parameters_than_the_plan(self):
        def forge(matrix):
            serve = matrix["groups"][0]["rows"][1]["configuration"]["serve"]
            serve["parameters"].update({"threads": "4", "speculate": "9"})
            serve["model"] = "tiny-f16"
            matrix["groups"][0]["rows"][1]["configuration"]["modelWidth"] = 64
        self.matrix(forge)
        for name in ("serve.parameters.threads", "serve.parameters.speculate", "serve.model", "modelWidth"):
            self.assert_named(f"matrix.json: groups[0].rows[1].configuration.{name}")

    def matrix(self, change):
        matrix = json.loads(made.read(self.copy, "matrix.json"))
        change(matrix)
        made.write(self.copy, "matrix.json", json.dumps(matrix, indent=2).encode())
        made.write(self.copy, "cells.csv", made.cells_csv(matrix))
        made.reseal(self.copy)

    def test_words_and_absences_of_a_row(self):
        for change, fragments in (
                (lambda r: r.update(meetsService=not r["meetsService"]), ("rows[0].meetsService",)), (lambda r: r["cost"].update(flops=5e9), ("rows[0].cost.flops", "a serving engine's cost is of nothing")),
                (lambda r: r["serving"].update(versions=["b1"]), ("rows[0].serving.versions",)), (lambda r: r["absent"].pop("serving.kvUse"), ("rows[0].serving.kvUse", "nothing says why")),
                (lambda r: r["absent"].update({"serving.sent": "why"}), ("rows[0].absent", "serving.sent is not there, but it is")), (lambda r: r["serving"].update(kvUse=0.5), ("rows[0].serving.kvUse",)),
                (lambda r: r["joulesPerTokenLayer"].update(value=1.0), ("rows[0].joulesPerTokenLayer.value",)), (lambda r: r.update(serving=None), ("rows[0].serving",)),
                (lambda r: r.update(tokenLayersPerSecond=1.0), ("rows[0].tokenLayersPerSecond",))):
            self.matrix(lambda m: change(m["groups"][0]["rows"][0]))
            self.assert_named("matrix.json: groups[0]", *fragments)
            self.setUp()

    def test_a_time_in_cells_csv_that_no_cell_has(self):
        lines = made.read(self.copy, "cells.csv").decode().split("\n")
        at, fields = lines[0].split(",").index("seconds_per_token_layer_value"), lines[1].split(",")
        fields[at - len(lines[0].split(","))] = "0.5"
        made.write(self.copy, "cells.csv", "\n".join([lines[0], ",".join(fields), *lines[2:]]).encode())
        made.reseal(self.copy)
        self.assert_named("cells.csv: line 2.seconds_per_token_layer_value", "differs from matrix.json")


class ServedMatrixTests(DirectoryTest):
    shape = "serve"

    def test_every_number_of_the_matrix_is_watched(self):
        self.assertEqual((True, []), unwatched(self, (".serve.", "joulesPerTokenLayer.units"), 300))


class TimedTests(DirectoryTest):
    """A sweep of format 3 has no times."""

    shape = "node"

    def test_times_in_an_older_format(self):
        for way in (("secondsPerTokenLayer",), ("ratio", "timeRatio")):
            matrix = json.loads(made.read(self.copy, "matrix.json"))
            node = matrix["groups"][0]["rows"][1]
            for step in way[:-1]:
                node = node[step]
            node[way[-1]] = {"value": 1.0, "low": None, "high": None, "scope": "none", "units": 1}
            made.write(self.copy, "matrix.json", json.dumps(matrix).encode())
            made.reseal(self.copy)
            self.assert_named(f"matrix.json: groups[0].rows[1].{'.'.join(way)}", "is there, and format 3 has none")
            self.setUp()

    def test_an_older_format_called_the_newer_one(self):
        manifest, matrix = (json.loads(made.read(self.copy, f"{n}.json")) for n in ("manifest", "matrix"))
        made.write(self.copy, "matrix.json", json.dumps({**matrix, "format": 4}).encode())
        made.write_manifest(self.copy, {**manifest, "format": 4})
        self.assert_named("groups[0].rows[0].secondsPerTokenLayer", "is missing")
        self.assert_named("groups[0].rows[1].ratio.timeRatio", "is missing")


if __name__ == "__main__":
    unittest.main()
