"""The command line: what it prints and how it ends."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import unittest

from energygrid_results.command import main

from . import made
from .directories import DirectoryTest, whole

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return code, out.getvalue(), err.getvalue()


class CommandTests(DirectoryTest):
    shape = "node"

    def test_what_holds_ends_with_zero(self):
        code, out, _ = run("verify", self.copy)
        self.assertEqual(0, code)
        self.assertTrue(out.endswith("HOLDS\n"))
        self.assertIn("not checked:", out)

    def test_what_is_wrong_ends_with_one_and_is_named(self):
        self.edit("report.html", b"doctype", b"dectype", seal=False)
        code, out, _ = run("verify", self.copy)
        self.assertEqual(1, code)
        self.assertIn("wrong: report.html: report.html is not the file of the manifest", out)
        self.assertTrue(out.endswith("WRONG: 1 finding\n"))

    def test_usage_ends_with_two(self):
        for arguments in ((), ("verify",), ("verify", self.copy, "--jason"), ("check", self.copy), ("verify", "/nowhere/at/all")):
            self.assertEqual(2, run(*arguments)[0], arguments)
        self.assertEqual(0, run("--help")[0])

    def test_the_document_says_the_same(self):
        self.edit("matrix.json", b'"family": 1', b'"family": 2')
        code, out, _ = run("verify", self.copy, "--json")
        document = json.loads(out)
        self.assertEqual(1, code)
        self.assertFalse(document["holds"])
        finding = document["findings"][0]
        self.assertEqual(("matrix.json", "family", 1, 2, 0.5), tuple(finding[k] for k in ("file", "path", "ours", "theirs", "relativeDifference")))
        self.assertTrue(document["notChecked"])

    def test_rows_are_csv_or_json(self):
        code, out, _ = run("rows", self.copy)
        self.assertEqual(0, code)
        lines = list(csv.DictReader(io.StringIO(out)))
        matrix = json.loads(made.read(self.copy, "matrix.json"))
        expected = [r["joulesPerTokenLayer"]["value"] for g in matrix["groups"] for r in g["rows"]]
        for line, value in zip(lines, expected, strict=True):
            self.assertAlmostEqual(float(line["joules_per_token_layer_value"]) / value, 1, delta=1e-9)
        self.assertEqual([line["label"] for line in lines], [r["label"] for r in json.loads(run("rows", self.copy, "--json")[1])])

    def test_rows_of_a_damaged_directory_are_refused(self):
        self.edit("report.html", b"doctype", b"dectype", seal=False)
        code, out, err = run("rows", self.copy)
        self.assertEqual((1, ""), (code, out))
        self.assertIn("report.html", err)

    def test_it_runs_as_a_module(self):
        done = subprocess.run([sys.executable, "-m", "energygrid_results", "verify", whole("node")], cwd=HERE, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr)
        done = subprocess.run([sys.executable, "-m", "energygrid_results", "verify", whole("node")], cwd=HERE, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
        self.assertEqual((0, b""), (done.returncode, done.stderr))


if __name__ == "__main__":
    unittest.main()
