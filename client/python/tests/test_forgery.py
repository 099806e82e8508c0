"""Forgeries with right hashes everywhere: recomputation names them."""

import contextlib
import copy
import datetime
import io
import json
import math
import unittest

from energygrid_results.command import main
from energygrid_results.verification import SCALE_ONE, verify

from . import made
from .directories import DirectoryTest


class TrialForgeryTests(DirectoryTest):
    def test_a_joule_in_a_trial(self):
        documents = self.trials()
        documents[9]["legs"][1]["gpu"]["joules"] += 1
        self.put_trials(documents)
        self.assert_named("trials.ndjson: line 10.legs[1].gpu.joules", "relative difference")

    def test_a_joule_in_a_source(self):
        documents = self.trials()
        documents[9]["legs"][1]["evidence"]["sources"][0]["joules"] += 1
        self.put_trials(documents)
        self.assert_named("line 10.legs[1].evidence.sources[0].joules")

    def test_a_joule_in_a_counter_reading(self):
        documents = self.trials()
        at = next(i for i, d in enumerate(documents) if not d["trace"])
        documents[at]["legs"][0]["evidence"]["sources"][0]["last"]["after"] += 1
        self.put_trials(documents)
        self.assert_named(f"line {at + 1}.legs[0].gpu.joules")

    def test_readings_that_their_trace_contradicts(self):
        """Everything above the readings follows from them; only the trace does not."""
        documents = self.trials()
        at = next(i for i, d in enumerate(documents) if d["trace"])
        documents[at]["legs"][0]["evidence"]["sources"][0]["last"]["after"] += 0.001
        self.put_trials(documents)
        self.assert_named(f"line {at + 1}", "sources[0].last", "the trace shows")
        documents = self.trials()
        documents[at]["legs"][0]["evidence"]["sources"][0]["first"]["beforeNanoseconds"] -= 1
        self.put_trials(documents)
        self.assert_named(f"line {at + 1}", "sources[0].first", "the trace has no reading")

    def test_integrated_power(self):
        documents = self.trials()
        at = next(i for i, d in enumerate(documents) if d["trace"])
        documents[at]["legs"][0]["evidence"]["sources"][0]["powerJoules"] += 0.01
        self.put_trials(documents)
        self.assert_named("sources[0].powerJoules")

    def test_steps_tokens_and_fractions(self):
        for name, factor in (("steps", 1.001), ("tokens", 1.001), ("windowSeconds", 0.999), ("nodeGpuJoules", 1.001), ("counterResidual", 1.001)):
            documents = self.trials()
            documents[3]["legs"][1][name] *= factor
            self.put_trials(documents)
            self.assert_named(f"line 4.legs[1].{name}")
            self.setUp()
        documents = self.trials()
        documents[3]["legs"][1]["powerCapFraction"] = 0.1
        self.put_trials(documents)
        self.assert_named("line 4.legs[1].powerCapFraction")

    def test_step_marks(self):
        documents = self.trials()
        documents[3]["legs"][1]["evidence"]["sources"][0]["lastSteps"]["after"] += 1
        self.put_trials(documents)
        self.assert_named("line 4.legs[1].steps")

    def test_idle(self):
        documents = self.trials()
        documents[3]["idleContextWatts"] += 1
        self.put_trials(documents)
        self.assert_named("line 4.idleContextWatts")

    def test_two_lines_that_changed_places(self):
        documents = self.trials()
        documents[4], documents[5] = documents[5], documents[4]
        self.put_trials(documents, renumber=False)
        self.assert_named("line 5", "out of order")

    def test_a_removed_line(self):
        documents = self.trials()
        removed = documents.pop(12)["trial"]
        self.put_trials(documents)
        self.assert_named(f"pass {removed['pass']} of block {removed['block']}", "is done, but it has no trial of")

    def test_a_removed_pass_with_a_trial_that_is_not_valid(self):
        documents = [d for d in self.trials() if (d["trial"]["block"], d["trial"]["pass"]) != (1, 1)]
        self.put_trials(documents)
        manifest = json.loads(made.read(self.copy, "manifest.json"))
        manifest["passes"] = [p for p in manifest["passes"] if (p["block"], p["pass"]) != (1, 1)]
        made.write_manifest(self.copy, manifest)
        self.assert_named("an event tells of a trial that is not there")

    def test_an_invalid_trial_that_is_called_valid(self):
        documents = self.trials()
        spoiled = next(d for d in documents if d["outcome"] == "invalid")
        spoiled["outcome"], spoiled["reasons"] = "valid", []
        self.put_trials(documents)
        self.assert_named("is valid, an event says that it is not")

    def test_a_doubled_line(self):
        documents = self.trials()
        self.put_trials(documents + [documents[7]])
        self.assert_named("line 58", "stands twice; line 8")

    def test_a_doubled_line_under_another_name(self):
        documents = self.trials()
        more = copy.deepcopy(documents[7])
        more["trial"]["pass"] = 9
        self.put_trials(documents + [more])
        self.assert_named("line 58", "its readings are those of line 8.legs[0]")
        self.assert_named("has trials, but the manifest does not list it")

    def test_two_trials_at_once_on_one_device(self):
        """The second ran while the first did, on one of its devices; the idle stretch counts too, and a trial of any outcome."""
        documents = self.trials()
        first = next(i for i, d in enumerate(documents) if d["outcome"] == "valid" and d["trial"]["label"] == "A")
        second = next(i for i, d in enumerate(documents) if i > first and set(d["devices"]) & set(documents[first]["devices"]))
        origin = datetime.datetime.fromisoformat(documents[first]["originUtc"])
        idle, leg = documents[first]["idle"], documents[second]["legs"][0]["evidence"]
        for outcome in ("valid", "failed"):
            apart = idle["toNanoseconds"] - leg["fromNanoseconds"]
            documents[second].update(originUtc=(origin + datetime.timedelta(microseconds=apart // 1000 + 1)).isoformat(), outcome=outcome)
            self.put_trials(documents)
            self.assertFalse(any("overlap in time" in s for s in self.sentences()))
            documents[second]["originUtc"] = (origin + datetime.timedelta(microseconds=apart // 1000 - 1)).isoformat().replace("+00:00", "Z")
            self.put_trials(documents)
            self.assert_named(f"line {second + 1}.legs[0]", f"line {first + 1}.idle overlap in time on h1/GPU-10")

    def test_an_origin_that_is_no_date(self):
        documents = self.trials()
        documents[7]["originUtc"] = "2026-02-30T00:00:00Z"
        self.put_trials(documents)
        self.assert_named("line 8.originUtc", "is no date")

    def test_an_energy_that_is_better_than_its_device(self):
        for word, wrong in (("declared", True), ("projected", True), ("measured", False)):
            manifest = json.loads(made.read(self.copy, "manifest.json"))
            device = next(x for x in manifest["devices"] if x["uuid"] == "GPU-11")
            device["energyProvenance"] = word
            made.write_manifest(self.copy, manifest)
            if wrong:
                self.assert_named("line 1.legs[0].gpu.provenance", "is measured", f"h1/GPU-11: {word}")
            else:
                self.assertEqual([], self.sentences())

    def test_an_end_that_the_manifest_does_not_know(self):
        manifest = json.loads(made.read(self.copy, "manifest.json"))
        manifest.update(phase="running", endedUtc=None)
        made.write_manifest(self.copy, manifest)
        self.assert_named("manifest.json: phase", "is running, but line", "says that the sweep has ended")

    def test_a_void_pass_without_an_event_is_told(self):
        why = "2 passes are void and no event says why: the trials of them are left out on the manifest's word"
        self.assertFalse(any("no event says why" in reason for _, reason in verify(self.copy).unchecked))
        events = [e for e in made.get_journal(self.copy, "events.ndjson") if e["kind"] != "void"]
        made.put_journal(self.copy, "events.ndjson", [{**e, "sequence": i} for i, e in enumerate(events)])
        made.reseal(self.copy)
        d = verify(self.copy)
        self.assertEqual([], d.findings)
        self.assertIn(("trials of void passes", why), d.unchecked)

    def test_readings_under_an_older_format(self):
        for number in (1, 2):
            manifest = json.loads(made.read(self.copy, "manifest.json"))
            made.write_manifest(self.copy, {**manifest, "format": number})
            self.assert_named("manifest.json: format", f"says format {number}, but its trials hold readings as only format 3 does")
            with contextlib.redirect_stdout(io.StringIO()):
                self.assertEqual(1, main(["verify", self.copy]))
        for leave in ("sequence", "originUtc", "evidence"):
            documents = made.get_journal(self.copy, "trials.ndjson")
            for d in documents:
                for name in ("sequence", "originUtc"):
                    if name != leave:
                        del d[name]
                for leg in d["legs"] if leave != "evidence" else ():
                    del leg["evidence"]
            made.put_journal(self.copy, "trials.ndjson", documents)
            made.reseal(self.copy)
            self.assert_named("says format 2, but its trials hold readings")
            self.setUp()
            made.write_manifest(self.copy, {**json.loads(made.read(self.copy, "manifest.json")), "format": 2})

    def test_a_trial_of_a_foreign_plan(self):
        documents = self.trials()
        documents[7]["planSha256"] = "0" * 64
        self.put_trials(documents)
        self.assert_named("line 8", "is of another plan")

    def test_a_trial_of_a_foreign_sweep(self):
        documents = self.trials()
        documents[7]["trial"]["sweep"] = "another"
        self.put_trials(documents)
        self.assert_named("line 8", "is of another sweep: another")

    def test_a_trial_of_another_configuration(self):
        documents = self.trials()
        documents[30]["trial"]["configuration"] = "0" * 64
        self.put_trials(documents)
        self.assert_named("line 31", "its configuration is not that of the cell's trial")

    def test_a_trial_on_other_devices(self):
        documents = self.trials()
        documents[7]["host"] = "h9"
        self.put_trials(documents)
        self.assert_named("line 8", "the manifest gives its pass other devices")

    def test_an_invalid_trial_made_valid(self):
        documents = self.trials()
        at = next(i for i, d in enumerate(documents) if d["outcome"] == "invalid")
        documents[at].update(outcome="valid", reasons=[])
        self.put_trials(documents)
        self.assert_named("matrix.json", "invalidations")

    def test_a_void_pass_made_done(self):
        manifest = json.loads(made.read(self.copy, "manifest.json"))
        for p in manifest["passes"]:
            p["state"] = "done"
        made.write_manifest(self.copy, manifest)
        self.assert_named("is done, but it has no trial of")
        self.assert_named("matrix.json", "voidedPasses")


def unwatched(test, apart, least):
    """(whether there are enough, the paths of numbers of matrix.json that could be changed without being named); apart: parts of paths of what is not computed."""
    matrix = json.loads(made.read(test.copy, "matrix.json"))
    inputs = (".cost.", "closure", ".replication", ".absent", ".confounds", "checklist", "notes", "ceilings", "flags", *apart)
    leaves = []

    def walk(node, path, way):
        if isinstance(node, dict):
            for k, v in node.items():
                walk(v, f"{path}.{k}" if path else k, way + [k])
        elif isinstance(node, list):
            for i, v in enumerate(node):
                walk(v, f"{path}[{i}]", way + [i])
        elif type(node) in (int, float) and not any(x in path for x in inputs):
            leaves.append((path, way, node))
    walk(matrix, "", [])
    for path, way, value in leaves:
        node = matrix
        for step in way[:-1]:
            node = node[step]
        node[way[-1]] = value + 1 if isinstance(value, int) else value * (1 + 3e-9) + (2e-12 if path.rpartition(".")[2] in SCALE_ONE else 0) if value else 1e-6
    made.write(test.copy, "matrix.json", json.dumps(matrix).encode())
    made.reseal(test.copy)
    named = {f.path for f in verify(test.copy).findings if f.file == "matrix.json"}
    return len(leaves) > least, [path for path, _, _ in leaves if path not in named]


class MatrixForgeryTests(DirectoryTest):
    def change(self, change):
        matrix = json.loads(made.read(self.copy, "matrix.json"))
        change(matrix)
        made.write(self.copy, "matrix.json", json.dumps(matrix, indent=2, ensure_ascii=False).encode())
        made.write(self.copy, "cells.csv", made.cells_csv(matrix))
        made.reseal(self.copy)

    def test_every_number_of_the_matrix_is_watched(self):
        """Each number that is computed is compared by itself: all are changed a little at once, and each has to be named by its path."""
        self.assertEqual((True, []), unwatched(self, (), 400))

    def test_a_joule_in_a_cell(self):
        def forge(m):
            m["groups"][0]["rows"][1]["joulesPerTokenLayer"]["value"] *= 1.00000001
        self.change(forge)
        said = self.assert_named("matrix.json: groups[0].rows[1].joulesPerTokenLayer.value", "ours", "theirs", "relative difference 1e-08")
        self.assertEqual(1, len(said))

    def test_words_that_are_computed(self):
        for path, value in ((("standing",), "resolved"), (("ratio", "scope"), "this node"), (("resolved",), True), (("baseline",), "C"), (("resolutionFrom",), "alone")):
            def forge(m):
                node = m["groups"][0]["rows"][2]["ratio"]
                for step in path[:-1]:
                    node = node[step]
                node[path[-1]] = value
            self.change(forge)
            self.assert_named("groups[0].rows[2].ratio." + ".".join(path))
            self.setUp()

    def test_a_number_that_is_gone(self):
        def forge(m):
            m["groups"][0]["rows"][1]["kEffRealized"] = None
            del m["groups"][0]["rows"][1]["meanWatts"]
        self.change(forge)
        self.assert_named("groups[0].rows[1].kEffRealized", "theirs nothing")
        self.assert_named("groups[0].rows[1].meanWatts", "is missing")

    def test_a_cell_that_is_gone(self):
        self.change(lambda m: m["groups"][0]["rows"].pop(2))
        self.assert_named("groups[0].rows", "are not the cells of the plan")

    def test_a_sensor_that_is_too_good(self):
        def forge(m):
            m["groups"][0]["sensor"]["offsetWatts"] = 1
        self.change(forge)
        self.assert_named("groups[0].sensor.offsetWatts")

    def test_a_plan_with_another_delta(self):
        self.edit("plan.resolved.yaml", b"delta: 0.01", b"delta: 0.02")
        self.assert_named("repeatability.delta")

    def test_facility_readings(self):
        self.edit("facility.csv", b"500000.5", b"500001.5")
        self.assert_named("matrix.json: facility.value")


class ApartTests(DirectoryTest):
    """The twin does not pass its test: how far it is off is a part of the resolution."""

    shape = "apart"

    def test_a_resolution_without_how_far_the_twin_is_off(self):
        matrix = json.loads(made.read(self.copy, "matrix.json"))
        test, ratio = matrix["groups"][0]["repeatability"], matrix["groups"][0]["rows"][1]["ratio"]
        self.assertFalse(test["passed"])
        self.assertAlmostEqual(ratio["resolution"], test["halfWidth95"] + abs(math.log(test["ratio"]["value"])), delta=1e-12)
        self.assertGreater(ratio["resolution"], test["halfWidth95"] * (1 + 1e-6))
        ratio["resolution"] = test["halfWidth95"]
        made.write(self.copy, "matrix.json", json.dumps(matrix).encode())
        made.write(self.copy, "cells.csv", made.cells_csv(matrix))
        made.reseal(self.copy)
        self.assert_named("groups[0].rows[1].ratio.resolution", "ours")


class PowerForgeryTests(DirectoryTest):
    shape = "device"

    def test_joules_of_integrated_power_follow_from_the_trace(self):
        documents = self.trials()
        documents[3]["legs"][0]["evidence"]["sources"][0]["joules"] += 0.1
        documents[3]["legs"][0]["gpu"]["joules"] += 0.1
        self.put_trials(documents)
        self.assert_named("line 4.legs[0].gpu.joules")

    def test_time_that_nothing_covered(self):
        documents = self.trials()
        leg = next(leg for leg in documents[3]["legs"] if leg["gpu"]["coveredSeconds"] < leg["windowSeconds"])
        leg["gpu"]["coveredSeconds"] = leg["windowSeconds"]
        leg["evidence"]["sources"][0]["coveredSeconds"] = leg["windowSeconds"] - 0.01
        self.put_trials(documents)
        self.assert_named("line 4.legs[0].gpu.coveredSeconds")
        self.assert_named("line 4.legs[0].evidence.sources[0].coveredSeconds")


if __name__ == "__main__":
    unittest.main()
