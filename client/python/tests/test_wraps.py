"""Counters that wrap: within the readings around an edge, and between them."""

import unittest

from energygrid_results.evidence import Bracket, Evidence, Readings, Source, source_energy
from energygrid_results.verification import verify

from . import made
from .directories import DirectoryTest, whole


def energy(readings, start, end, wrapped, modulus, traced):
    """(J, sentences) of a counter with these (ns, J), of which the window is [start, end]."""
    def bracket(at):
        before, after = [r for r in readings if r[0] <= at][-1], [r for r in readings if r[0] >= at][0]
        return Bracket(*before, *after)

    source = Source("g", "device", "counter", bracket(start), bracket(end), wrapped, 0.0, 0.0, None, None, None, None, None, 0.0, None, modulus)
    wrong = []
    found = source_energy(source, Evidence(start, end, (source,)), Readings([], list(readings)) if traced else None, "here", wrong)
    return found.joules, wrong


class OneCounterTests(unittest.TestCase):
    """It wraps at 100 J, and 20 J go by in each 10 ns; the window is half-way between readings."""

    # shows 70, 90, 10, 30, 50, 70, 90, 10
    readings = tuple((10 * i, (70.0 + 20 * i) % 100) for i in range(8))

    def test_where_it_wraps(self):
        for what, start, end, wraps in (("in the first", 15, 45, 1), ("in the last", 25, 65, 0), ("in both", 15, 65, 1), ("between", 5, 35, 1), ("between, and in the last", 5, 65, 1),
                                        ("not at all", 25, 55, 0), ("in the one that is first and last", 12, 17, 0), ("at the edge, on a reading", 20, 45, 0), ("at the end, on a reading", 5, 20, 1)):
            for traced in (True, False):
                joules, wrong = energy(self.readings, start, end, 100.0 * wraps, 100.0, traced)
                self.assertAlmostEqual(joules, 2.0 * (end - start), delta=1e-9, msg=what)
                self.assertEqual([], wrong, what)

    def test_a_number_of_wraps_that_its_trace_does_not_show(self):
        for wrapped in (0.0, 200.0, -100.0, 100.001):
            joules, wrong = energy(self.readings, 15, 45, wrapped, 100.0, True)
            self.assertEqual(1, len(wrong))
            self.assertIn("here.wrappedJoules", wrong[0])
            self.assertAlmostEqual(joules, 60.0)

    def test_without_a_trace_it_is_a_whole_number_of_them(self):
        for wrapped, fine in ((0.0, True), (200.0, True), (-100.0, False), (100.001, False), (50.0, False), (1e-3, False)):
            self.assertEqual(fine, not energy(self.readings, 15, 45, wrapped, 100.0, False)[1], wrapped)

    def test_a_counter_that_does_not_say_that_it_wraps(self):
        for start, end, wrapped, traced, sentences in ((15, 45, 0.0, True, 2), (15, 45, 0.0, False, 1), (25, 65, 0.0, True, 1), (5, 35, 0.0, True, 1), (25, 55, 100.0, True, 1),
                                                      (25, 55, 100.0, False, 1), (25, 55, 0.0, True, 0)):
            self.assertEqual(sentences, len(energy(self.readings, start, end, wrapped, None, traced)[1]), (start, end, wrapped, traced))


class WrapTests(DirectoryTest):
    shape = "wraps"

    def sources(self, documents, traced):
        """(line, path, source) of every counter."""
        for line, d in enumerate(documents, 1):
            if bool(d["trace"]) == traced:
                for where, stretch in [(f"legs[{i}].evidence", leg["evidence"]) for i, leg in enumerate(d["legs"])] + [("idle", d["idle"])]:
                    yield from ((line, f"{where}.sources[{i}]", s) for i, s in enumerate(stretch["sources"]))

    def test_they_wrap_everywhere(self):
        """Whether `whole` holds is tested elsewhere; this is what it is made for."""
        for traced in (True, False):
            found = [s for _, _, s in self.sources(self.trials(), traced)]
            self.assertTrue(any(s["first"]["after"] < s["first"]["before"] for s in found))
            self.assertTrue(any(s["last"]["after"] < s["last"]["before"] for s in found))
            self.assertTrue(any(s["wrappedJoules"] > 400 and s["first"]["after"] > s["first"]["before"] for s in found))
        self.assertTrue(any(what.endswith("how often counters wrapped") for what, _ in verify(whole("wraps")).unchecked))

    def test_a_forged_number_of_wraps(self):
        for traced, more in ((True, 1), (False, 0.5)):
            documents = self.trials()
            line, path, source = next(self.sources(documents, traced))
            forged = more * source["modulusJoules"]
            source["wrappedJoules"] += forged
            source["joules"] += forged
            documents[line - 1]["legs"][0]["gpu"]["joules"] += forged
            self.put_trials(documents)
            self.assert_named(f"line {line}.{path}.wrappedJoules", "which is" if traced else "not a whole multiple")

    def test_a_forged_number_of_wraps_in_an_idle_stretch(self):
        documents = self.trials()
        line, path, source = next(s for s in self.sources(documents, True) if s[1].startswith("idle"))
        source["wrappedJoules"] += source["modulusJoules"]
        self.put_trials(documents)
        self.assert_named(f"line {line}.{path}.wrappedJoules")

    def test_a_modulus_that_is_gone(self):
        for edge in ("first", "last"):
            for gone in (lambda s: s.update(modulusJoules=None), lambda s: s.pop("modulusJoules")):
                documents = self.trials()
                line, path, source = next(s for s in self.sources(documents, False) if s[2][edge]["after"] < s[2][edge]["before"])
                gone(source)
                self.put_trials(documents)
                self.assert_named(f"line {line}.{path}.{edge}", "modulusJoules does not say that it wraps")
                self.setUp()

    def test_a_modulus_that_is_none(self):
        documents = self.trials()
        documents[0]["legs"][0]["evidence"]["sources"][0]["modulusJoules"] = 0
        self.put_trials(documents)
        self.assert_named("line 1.legs[0].evidence.sources[0].modulusJoules is not above 0")


class OlderTests(DirectoryTest):
    shape = "node"

    def test_sources_without_the_member_do_not_wrap(self):
        documents = self.trials()
        for d in documents:
            for stretch in [leg["evidence"] for leg in d["legs"]] + [d["idle"]]:
                for s in stretch["sources"]:
                    del s["modulusJoules"]
        self.put_trials(documents)
        self.assertEqual([], self.sentences())


if __name__ == "__main__":
    unittest.main()
