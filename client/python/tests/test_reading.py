"""Reading: strict where it matters, and a sentence for what is not right."""

import unittest

from energygrid_results import plan
from energygrid_results.evidence import Bracket, Readings, integral, parse_trace
from energygrid_results.flat import snake
from energygrid_results.reading import Damaged, is_safe_name, journal, parse_json, read_csv, seal_holds, sha256, shown


class JsonTests(unittest.TestCase):
    def test_what_is_not_strict_json_is_refused(self):
        for data in (b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b"NaN", b"[Infinity]", b"[-Infinity]", b"1e400", b"[1,]", b"{} {}", b"\xff", b"", b"\xef\xbb\xbf{}", b"[" * 100_000,
                     b"[" * 61 + b"]" * 61, b"1" * 5000):
            with self.assertRaises(Damaged):
                parse_json(data, "it")

    def test_numbers_are_read_exactly(self):
        self.assertEqual(parse_json(b"[0.1, 12345678901234567890, 5e-324]", "it"), [0.1, 12345678901234567890, 5e-324])


class NameTests(unittest.TestCase):
    def test_only_names_within_the_directory_are_safe(self):
        for name in ("matrix.json", "traces/a.b c (twin)'.csv", "é.csv"):
            self.assertTrue(is_safe_name(name), name)
        for name in ("", ".", "..", "../a", "/a", "a/b", "traces/", "traces/..", "traces/../a", "traces/a/b", "a\\b", "a\nb", "a\0b", "\ud800", None, 5, "a" * 300, ".hidden"):
            self.assertFalse(is_safe_name(name), name)

    def test_what_does_not_print_is_escaped(self):
        self.assertEqual(shown("a\x1b[2J\n\u202e\ud800é"), "a\\x1b[2J\\n\\u202e\\ud800é")
        self.assertEqual(shown("x" * 500, 10), "x" * 10 + "…")


class JournalTests(unittest.TestCase):
    def test_a_line_is_its_documents_hash_and_its_bytes(self):
        document = '{"sequence":0,"text":"é"}'.encode()
        good = b'{"sha256":"' + sha256(document).encode() + b'","document":' + document + b"}\n"
        self.assertEqual([x.document for x in journal(good, "j")], [{"sequence": 0, "text": "é"}])
        # The hash is of the bytes: the same document written otherwise is another.
        self.assertIsNotNone(next(journal(good.replace(b'0,"', b'0, "'), "j")).damage)
        self.assertIsNotNone(next(journal(good.replace(b'"document"', b'"dokument"'), "j")).damage)
        self.assertTrue(list(journal(good + good[:-1], "j"))[1].torn)

    def test_the_seal_is_of_all_bytes_before_it(self):
        body = b'{\n  "format": 3'
        whole = body + b',\n  "sha256": "' + sha256(body).encode() + b'"\n}'
        self.assertTrue(seal_holds(whole, sha256(body)))
        self.assertFalse(seal_holds(whole + b"x", sha256(body)))
        self.assertFalse(seal_holds(whole.replace(b"3", b"2"), sha256(body)))


class CsvTests(unittest.TestCase):
    def test_quotes_and_commas(self):
        self.assertEqual(read_csv(b'a,b\n"x, ""y""",2\n', "it"), [{"a": 'x, "y"', "b": "2"}])

    def test_what_is_not_rectangular_is_refused(self):
        for data in (b"", b"a,a\n1,2\n", b"a,b\n1\n", b'a\n"x', b"\xff\n"):
            with self.assertRaises(Damaged):
                read_csv(data, "it")

    def test_names_become_snake_case(self):
        self.assertEqual([snake(n) for n in ("joulesPerTokenLayer", "kEffRealized", "holmPValue", "phi_mem")], ["joules_per_token_layer", "k_eff_realized", "holm_p_value", "phi_mem"])


class PlanTests(unittest.TestCase):
    def test_blocks_lists_and_flows(self):
        text = b"""# a comment
name: "a: \\"b\\" # no comment"
match: ["x", "y"]
empty: []
groups:
  - name: "g"
    cells:
      - {label: "A", batch: 8, ok: true, none: null, pair: [1, 2.5]}
      - {label: "B", batch: 16}
  - name: "h"
    cells: []
last:
  deep:
    deeper: -1e-3
"""
        self.assertEqual(plan.parse(text, "p"), {
            "name": 'a: "b" # no comment', "match": ["x", "y"], "empty": [],
            "groups": [{"name": "g", "cells": [{"label": "A", "batch": 8, "ok": True, "none": None, "pair": [1, 2.5]}, {"label": "B", "batch": 16}]}, {"name": "h", "cells": []}],
            "last": {"deep": {"deeper": -1e-3}}})

    def test_what_is_not_written_there_is_refused(self):
        for text in (b"a: 1\na: 2", b"a: {b: 1, b: 2}", b"a: [1", b"a: {b 1}", b"a: 'x'y: 2", b"a: \"x", b"x", b"a: 1\n   b: 2", b"a: " + b"[" * 50, b"a: 1e999", b"\xff"):
            with self.assertRaises(Damaged):
                plan.parse(text, "p")


class TraceTests(unittest.TestCase):
    def test_a_bracket_is_a_straight_line_and_a_single_reading_itself(self):
        self.assertEqual(Bracket(100, 2.0, 200, 4.0).at(150), 3.0)
        self.assertEqual(Bracket(100, 2.0, 100, 4.0).at(100), 2.0)

    def test_the_trapezoid_is_cut_at_the_edges(self):
        # 100 W at 0 s, 200 W at 1 s, 200 W at 2 s: from 0.5 s to 1.5 s 0.5·175 + 0.5·200
        joules, covered = integral(Readings([(0, 100.0), (10**9, 200.0), (2 * 10**9, 200.0)]), 5 * 10**8, 15 * 10**8, 1.0)
        self.assertAlmostEqual(joules, 187.5, delta=1e-12)
        self.assertAlmostEqual(covered, 1.0, delta=1e-15)

    def test_a_span_of_more_than_three_periods_is_uncovered(self):
        readings = Readings([(t * 10**9, 100.0) for t in (0, 1, 4, 5)])
        self.assertEqual(integral(readings, 0, 5 * 10**9, 1.0), (500.0, 5.0))
        self.assertEqual(integral(readings, 0, 5 * 10**9, 0.99), (200.0, 2.0))

    def test_rows_are_read_by_source(self):
        trace = parse_trace(b"nanoseconds,source,watts,joules,phase\n-5,GPU-0,1.5,NaN,waiting\n7,node,2,3.25,window\n", "t")
        self.assertEqual((trace["GPU-0"].power, trace["GPU-0"].counter, trace["node"].counter), ([(-5, 1.5)], [], [(7, 3.25)]))
        for wrong in (b"", b"a\n", b"nanoseconds,source,watts,joules,phase\n1,x,1,1\n", b"nanoseconds,source,watts,joules,phase\n1,x,1,inf,window\n",
                      b"nanoseconds,source,watts,joules,phase\n2,x,1,1,idle\n1,x,1,1,idle\n", b"nanoseconds,source,watts,joules,phase\n\xb2,x,1,1,idle\n"):
            with self.assertRaises(Damaged):
                parse_trace(wrong, "t")


if __name__ == "__main__":
    unittest.main()
