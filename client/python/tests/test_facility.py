"""The facility ratio by hand."""

import unittest

from energygrid_results import facility
from energygrid_results.reading import Damaged

HEADER = ",".join(facility.COLUMNS) + "\n"


class FacilityTests(unittest.TestCase):
    def test_stretches_that_were_covered_in_full_count_alone(self):
        ratio = facility.ratio((HEADER + "0,10,10,1,130,0,0,10,10,100,0,0,0\n10,20,10,0,999,1,2,5,10,100,1,2,0\n20,40,18,1,260,0,0,20,20,200,0,0,10\n").encode())
        self.assertAlmostEqual(ratio["value"], 390 / 300, delta=1e-15)
        self.assertEqual((ratio["low"], ratio["high"], ratio["fromWindow"], ratio["toWindow"]), (None, None, 0, 40))
        self.assertAlmostEqual(ratio["timeCoverage"], 28 / 40, delta=1e-15)
        self.assertAlmostEqual(ratio["itCoverage"], 300 / 310, delta=1e-15)
        self.assertAlmostEqual(ratio["facilityKilowattHours"], 390 / 3.6e6, delta=1e-20)

    def test_too_little_coverage_of_either_side_leaves_bounds(self):
        for weights, unmetered in (("9,10", "0"), ("10,10", "6")):
            ratio = facility.ratio((HEADER + f"0,10,10,0,120,5,20,{weights},100,2,10,{unmetered}\n").encode())
            self.assertIsNone(ratio["value"])
            self.assertAlmostEqual(ratio["low"], 125 / 110, delta=1e-15)
            self.assertAlmostEqual(ratio["high"], 140 / 102, delta=1e-15)

    def test_what_is_no_table_of_windows_is_refused(self):
        for text in ("", HEADER, HEADER + "0,10,10,1,x,0,0,10,10,100,0,0,0\n", "a,b\n1,2\n", HEADER + "1,2\n"):
            with self.assertRaises(Damaged):
                facility.ratio(text.encode())


if __name__ == "__main__":
    unittest.main()
