"""What is whole holds, and every number of it is found again by formulas that were written twice."""

import json
import os
import shutil
import time
import unittest

from energygrid_results import Damaged, load
from energygrid_results.matrix import build
from energygrid_results.verification import verify

from . import made
from .directories import DirectoryTest, whole


class WholeTests(unittest.TestCase):
    def test_all_numbers_of_a_whole_directory_are_found_again(self):
        for shape, least in (("site", 6000), ("device", 1100), ("node", 500), ("declared", 400), ("apart", 400), ("wraps", 500), ("serve", 2500), ("lone", 600)):
            d = verify(whole(shape))
            self.assertEqual([], d.findings, shape)
            self.assertFalse(d.live)
            self.assertGreater(d.checked["numbers"], least, shape)

    def test_nothing_is_passed_over_in_silence(self):
        """Each member of matrix.json is either compared or named as not checked."""
        d = verify(whole("site"))
        named = {what.removeprefix("matrix.json: ") for what, _ in d.unchecked if what.startswith("matrix.json: ")}
        self.assertIn("groups[].rows[].cost", named)
        self.assertIn("closure", named)
        for what, why in d.unchecked:
            self.assertTrue(what and why)

    def test_a_member_that_the_page_does_not_know_is_named(self):
        copy = whole("node") + "-more"
        shutil.copytree(whole("node"), copy)
        matrix = json.loads(made.read(copy, "matrix.json"))
        matrix["groups"][0]["rows"][0]["newMember"] = 5
        made.write(copy, "matrix.json", json.dumps(matrix, indent=2).encode())
        made.reseal(copy)
        d = verify(copy)
        self.assertEqual([], d.findings)
        self.assertIn(("matrix.json: groups[].rows[].newMember", "docs/results.md does not say how it is made"), d.unchecked)

    def test_the_site_shows_what_it_was_made_for(self):
        """The second implementation is exercised only if these occur."""
        matrix = json.loads(made.read(whole("site"), "matrix.json"))
        rows = {r["label"]: r for g in matrix["groups"] for r in g["rows"]}
        self.assertEqual("outsideOperatingPoint", rows["D"]["ratio"]["standing"])
        self.assertEqual({"the slope over L' is not positive": 1}, rows["E"]["invalidations"])
        self.assertEqual("notResolved", rows["E"]["ratio"]["standing"])
        self.assertEqual("resolved", rows["C"]["ratio"]["standing"])
        self.assertEqual((2, 1), (sum(rows["C"]["invalidations"].values()), rows["C"]["invalidations"]["its pass was voided"]))
        self.assertIsNotNone(rows["A"]["linearity"])
        self.assertIsNone(rows["K"]["ratio"])
        self.assertEqual("nodes", rows["A"]["joulesPerTokenLayer"]["scope"])
        self.assertIsNotNone(matrix["facility"]["value"])

    def test_the_guard_on_coverage_holds_for_the_nodes_meter_too(self):
        copy = whole("node") + "-guarded"
        shutil.copytree(whole("node"), copy)
        text = made.read(copy, "plan.resolved.yaml")
        made.write(copy, "plan.resolved.yaml", text.replace(b"min_coverage: 0.95", b"min_coverage: 1.01"))
        made.reseal(copy)
        rows = build(verify(copy).inputs)["groups"][0]["rows"]
        self.assertEqual({"coverage of the node's meter is below the guard"}, {reason for r in rows for reason in r["invalidations"]})
        self.assertEqual({0}, {r["passes"] for r in rows})

    def test_fifteen_hundred_trials_take_a_few_seconds(self):
        copy = whole("site") + "-large"
        made.make(copy, {**made.site_shape(passes=62), "aa": None, "void": set()})
        count = len(made.get_journal(copy, "trials.ndjson"))
        self.assertGreater(count, 1200)
        started = time.process_time()
        d = verify(copy)
        took = time.process_time() - started
        shutil.rmtree(copy)
        self.assertEqual([], d.findings)
        self.assertLess(took / count * 1500, 15)


class LoadTests(DirectoryTest):
    def test_rows_are_flat_and_have_the_same_columns(self):
        results = load(self.copy)
        rows = results.rows()
        self.assertEqual(len(rows), 6)
        self.assertEqual({tuple(r) for r in rows}, {tuple(rows[0])})
        self.assertTrue(all(v is None or isinstance(v, (int, float, str, bool)) for r in rows for v in r.values()))
        mine = {r["label"]: r for r in rows}
        theirs = {r["label"]: r for g in results.matrix["groups"] for r in g["rows"]}
        self.assertAlmostEqual(mine["C"]["ratio_value"], theirs["C"]["ratio"]["ratio"]["value"], delta=1e-12)
        self.assertEqual(len(results.trials), 57)
        self.assertEqual(results.manifest["sweep"], results.sweep)
        self.assertEqual(results.cells[0]["label"], "A")

    def test_what_is_damaged_is_not_loaded(self):
        self.edit("report.html", b"html", b"hmtl", seal=False)
        with self.assertRaisesRegex(Damaged, "report.html"):
            load(self.copy)


class LiveTests(DirectoryTest):
    def go_on(self, keep_lines):
        """The directory as it was when the manifest knew only the first lines, and trials have been added since."""
        data = made.read(self.copy, "trials.ndjson").splitlines(keepends=True)
        events = made.get_journal(self.copy, "events.ndjson")
        made.write(self.copy, "trials.ndjson", b"".join(data[:keep_lines]))
        made.put_journal(self.copy, "events.ndjson", events[:1])
        for name in ("matrix.json", "cells.csv", "report.html", "facility.csv"):
            os.remove(os.path.join(self.copy, name))
        manifest = json.loads(made.read(self.copy, "manifest.json"))
        manifest.update(phase="running", endedUtc=None, passes=[p for p in manifest["passes"] if p["block"] == 0 and p["pass"] == 0])
        made.write_manifest(self.copy, manifest)
        made.write(self.copy, "trials.ndjson", b"".join(data))
        made.put_journal(self.copy, "events.ndjson", events[:-1])

    def test_a_sweep_that_goes_on_is_verified_as_far_as_it_goes(self):
        self.go_on(6)
        d = verify(self.copy)
        self.assertEqual([], d.findings)
        self.assertTrue(d.live)
        self.assertEqual(d.checked["trials"], 57)
        self.assertIn(("matrix.json and cells.csv", "the sweep is live: they are written when it ends"), d.unchecked)

    def test_an_end_that_was_told_after_the_manifest_is_none_that_it_hides(self):
        ended = made.get_journal(self.copy, "events.ndjson")
        self.go_on(6)
        made.put_journal(self.copy, "events.ndjson", ended)
        self.assertEqual([], self.sentences())

    def test_a_torn_last_line_belongs_to_a_sweep_that_goes_on(self):
        self.go_on(6)
        made.write(self.copy, "trials.ndjson", made.read(self.copy, "trials.ndjson")[:-100])
        self.assertEqual([], self.sentences())

    def test_what_the_manifest_knows_may_not_change(self):
        self.go_on(6)
        documents = self.trials()
        documents[2]["startCelsius"] = 40
        made.put_journal(self.copy, "trials.ndjson", documents)
        self.assert_named("trials.ndjson is not the file of the manifest")

    def test_a_wrong_joule_is_found_while_it_goes_on(self):
        self.go_on(6)
        documents = self.trials()
        documents[20]["legs"][1]["gpu"]["joules"] *= 1.01
        made.put_journal(self.copy, "trials.ndjson", documents)
        self.assert_named("line 21.legs[1].gpu.joules")

    def test_without_a_manifest_it_is_live_unless_it_says_that_it_ended(self):
        os.remove(os.path.join(self.copy, "manifest.json"))
        self.assert_named("manifest.json is missing", "matrix.json")
        for name in ("matrix.json", "cells.csv", "report.html"):
            os.remove(os.path.join(self.copy, name))
        self.assert_named("manifest.json is missing", "events.ndjson says")
        made.put_journal(self.copy, "events.ndjson", made.get_journal(self.copy, "events.ndjson")[:-1])
        d = verify(self.copy)
        self.assertEqual([], d.findings)
        self.assertTrue(d.live)


if __name__ == "__main__":
    unittest.main()
