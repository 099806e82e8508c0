"""Results of older formats: what can be checked is, and what cannot is said."""

import os
import shutil
import tempfile
import unittest

from energygrid_results.command import as_lines
from energygrid_results.verification import verify

from . import made

FORMAT1 = os.path.join(os.path.dirname(__file__), "..", "..", "..", "tests", "Grid.Tests", "Faults", "Format1")


@unittest.skipUnless(os.path.isdir(FORMAT1), "the package stands alone here")
class Format1Tests(unittest.TestCase):
    def copy(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        return shutil.copytree(FORMAT1, os.path.join(self.directory.name, "d"))

    def test_means_and_ratios_are_found_again_and_the_rest_is_said(self):
        d = verify(FORMAT1)
        self.assertEqual([], d.findings)
        self.assertEqual((d.format, d.live), (1, False))
        self.assertGreaterEqual(d.checked["numbers"], 30)
        said = "\n".join(as_lines(d))
        self.assertIn("format 1 does not keep the readings", said)
        self.assertIn("made by other rules in format 1", said)

    def test_a_forged_joule_is_found(self):
        copy = self.copy()
        documents = made.get_journal(copy, "trials.ndjson")
        documents[0]["legs"][0]["gpu"]["joules"] *= 1.001
        made.put_journal(copy, "trials.ndjson", documents)
        made.reseal(copy)
        self.assertTrue(any(f.path.endswith("joulesPerTokenLayer.value") for f in verify(copy).findings))

    def test_a_removed_line_is_found(self):
        copy = self.copy()
        made.put_journal(copy, "trials.ndjson", made.get_journal(copy, "trials.ndjson")[:-1])
        made.reseal(copy)
        self.assertTrue(any("is done, but it has no trial" in f.text for f in verify(copy).findings))


if __name__ == "__main__":
    unittest.main()
