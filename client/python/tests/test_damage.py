"""Damage is named: each copy here is damaged in one way, and verify says which."""

import json
import os
import unittest

from energygrid_results.verification import verify

from . import made
from .directories import DirectoryTest


class DamageTests(DirectoryTest):
    def test_a_changed_manifest_breaks_its_seal(self):
        self.edit("manifest.json", b'"submittedBy": "local"', b'"submittedBy": "other"', seal=False)
        self.assert_named("manifest.json", "seal is broken")

    def test_a_truncated_manifest(self):
        made.write(self.copy, "manifest.json", made.read(self.copy, "manifest.json")[:900])
        self.assert_named("manifest.json is not JSON")

    def test_a_changed_file(self):
        self.edit("report.html", b"doctype", b"dectype", seal=False)
        self.assert_named("report.html is not the file of the manifest")

    def test_a_missing_file(self):
        os.remove(os.path.join(self.copy, "cells.csv"))
        self.assert_named("cells.csv is missing; the manifest lists it")

    def test_a_missing_file_that_is_not_listed_either(self):
        os.remove(os.path.join(self.copy, "report.html"))
        made.reseal(self.copy)
        self.assert_named("report.html is not listed")

    def test_an_unknown_file(self):
        made.write(self.copy, "notes.txt", b"hello")
        self.assert_named("notes.txt is in the directory, but not in the manifest")

    def test_a_flipped_byte_in_a_line(self):
        data = bytearray(made.read(self.copy, "trials.ndjson"))
        at = data.index(b'"startCelsius":35.5') + 18
        data[at] ^= 1
        made.write(self.copy, "trials.ndjson", bytes(data))
        made.reseal(self.copy)
        self.assert_named("trials.ndjson: line 1", "SHA-256 of its document is another")

    def test_a_torn_last_line(self):
        made.write(self.copy, "trials.ndjson", made.read(self.copy, "trials.ndjson")[:-500])
        made.reseal(self.copy)
        self.assert_named("trials.ndjson line 57 has no end")

    def test_a_doubled_member(self):
        self.edit("matrix.json", b'"family": ', b'"family": 3, "family": ')
        self.assert_named("matrix.json", "'family' stands twice")

    def test_not_a_number_as_a_number(self):
        self.edit("matrix.json", b'"family": 3', b'"family": NaN')
        self.assert_named("matrix.json", "NaN is not a number of JSON")

    def test_not_a_number_as_a_text(self):
        self.edit("matrix.json", b'"meanWatts": ', b'"meanWatts": "NaN", "_": ')
        self.assert_named("matrix.json", "meanWatts", "\"NaN\" stands where a number or null belongs")

    def test_a_number_that_is_not_there_without_a_reason(self):
        documents = self.trials()
        documents[0]["legs"][0]["meanCelsius"] = None
        self.put_trials(documents)
        self.assert_named("line 1.legs[0].meanCelsius", "is null, and nothing says why")
        self.setUp()
        self.edit("matrix.json", b'"linearity": "it was not measured"', b'"_": ""')
        self.assert_named("groups[0].rows[1].linearity", "is null, and nothing says why")

    def test_a_number_beyond_all_numbers(self):
        self.edit("matrix.json", b'"family": 3', b'"family": 1e999')
        self.assert_named("matrix.json", "1e999 is too large")

    def test_a_number_of_endless_digits(self):
        self.edit("matrix.json", b'"family": 3', b'"family": ' + b"9" * 100_000)
        self.assert_named("matrix.json", "so many digits")

    def test_deep_nesting(self):
        made.write(self.copy, "matrix.json", b"[" * 200_000)
        made.reseal(self.copy)
        self.assert_named("matrix.json is nested too deeply")
        made.write(self.copy, "matrix.json", b"[" * 100 + b"]" * 100)
        made.reseal(self.copy)
        self.assert_named("matrix.json", "60 levels")

    def test_bytes_that_are_not_utf8(self):
        made.write(self.copy, "cells.csv", made.read(self.copy, "cells.csv") + b"\xff\xfe")
        made.reseal(self.copy)
        self.assert_named("cells.csv is not UTF-8")

    def test_a_name_that_leads_out_of_the_directory(self):
        for name in ("../manifest.json", "/etc/passwd", "traces/../../x", "a\\b", "traces/", ".."):
            manifest = json.loads(made.read(self.copy, "manifest.json"))
            made.write_manifest(self.copy, manifest)
            data = made.read(self.copy, "manifest.json").replace(b'"name": "report.html"', b'"name": ' + json.dumps(name).encode())
            made.write(self.copy, "manifest.json", data)
            self.assert_named("is not a name of a file in this directory; it was not opened")

    def test_a_link_instead_of_a_file(self):
        os.remove(os.path.join(self.copy, "report.html"))
        os.symlink("/etc/passwd", os.path.join(self.copy, "report.html"))
        self.assert_named("report.html cannot be read")

    def test_a_pipe_does_not_stop_it(self):
        os.remove(os.path.join(self.copy, "report.html"))
        os.mkfifo(os.path.join(self.copy, "report.html"))
        self.assert_named("report.html is not a regular file")

    def test_control_characters_are_escaped(self):
        made.write(self.copy, "bad\x1b[31m\u202ename", b"")
        said = self.assert_named("\\x1b[31m\\u202ename is in the directory")
        self.assertFalse(any("\x1b" in s or "\u202e" in s for s in said))

    def test_names_within_documents_are_escaped_too(self):
        documents = self.trials()
        documents[0]["trace"] = "\u202etrace\u009b"
        self.put_trials(documents)
        said = self.assert_named("\\u202etrace\\x9b is missing")
        self.assertTrue(all(s.isprintable() for s in said))

    def test_a_trace_of_another_trial(self):
        documents = self.trials()
        traced = [d for d in documents if d["trace"]][:2]
        traced[0]["trace"], traced[1]["trace"] = traced[1]["trace"], traced[0]["trace"]
        self.put_trials(documents)
        self.assert_named("is not the trace of its trial", "SHA-256 is another")

    def test_a_trace_that_is_missing(self):
        name = next(d["trace"] for d in self.trials() if d["trace"])
        os.remove(os.path.join(self.copy, "traces", name))
        made.reseal(self.copy)
        self.assert_named(name, "is missing; the trial of line 1 names it")

    def test_a_trace_that_is_none(self):
        self.change_trace(lambda data: data.replace(b"nanoseconds,", b"seconds,"))
        self.assert_named("does not begin with")
        self.setUp()
        self.change_trace(lambda data: data.replace(b",window\n", b",wondow\n", 1))
        self.assert_named("is not a reading")

    def change_trace(self, change):
        documents = self.trials()
        d = next(d for d in documents if d["trace"])
        data = change(made.read(self.copy, f"traces/{d['trace']}"))
        made.write(self.copy, f"traces/{d['trace']}", data)
        d["traceSha256"] = made.hashlib.sha256(data).hexdigest()
        self.put_trials(documents)

    def test_a_cell_of_the_csv_that_differs(self):
        lines = made.read(self.copy, "cells.csv").decode().split("\n")
        fields, at = lines[2].split(","), lines[0].split(",").index("joules_per_token_layer_value")
        fields[at] = repr(float(fields[at]) * (1 + 1e-12))
        made.write(self.copy, "cells.csv", "\n".join([*lines[:2], ",".join(fields), *lines[3:]]).encode())
        made.reseal(self.copy)
        self.assert_named("cells.csv", "line 3.joules_per_token_layer_value", "differs from matrix.json")

    def test_a_csv_with_a_line_too_few(self):
        made.write(self.copy, "cells.csv", b"\n".join(made.read(self.copy, "cells.csv").split(b"\n")[:-2]) + b"\n")
        made.reseal(self.copy)
        self.assert_named("cells.csv", "5 lines, matrix.json 6 cells")

    def test_a_csv_that_is_none(self):
        self.edit("cells.csv", b"format,sweep", b'"format,sweep')
        self.assert_named("cells.csv is not CSV")

    def test_a_plan_that_cannot_be_read(self):
        self.edit("plan.resolved.yaml", b"groups:", b"groups: {")
        self.assert_named("plan.resolved.yaml line")

    def test_a_plan_that_says_another_hash(self):
        self.edit("plan.resolved.yaml", made.PLAN_SHA.encode(), b"0" * 64)
        self.assert_named("plan.resolved.yaml", "another SHA-256 of the plan than the manifest")

    def test_a_missing_event(self):
        events = made.get_journal(self.copy, "events.ndjson")
        del events[1]
        made.put_journal(self.copy, "events.ndjson", events)
        made.reseal(self.copy)
        self.assert_named("events.ndjson: line 2", "a line is missing, doubled or out of order")

    def test_a_wrong_facility_column(self):
        self.edit("facility.csv", b"whole", b"hole")
        self.assert_named("facility.csv has no column whole")

    def test_an_empty_directory_and_none_at_all(self):
        from energygrid_results.reading import Damaged
        empty = os.path.join(self.copy, "traces", "none")
        os.mkdir(empty)
        for path in (empty, empty + "/nothing", os.path.join(self.copy, "report.html")):
            with self.assertRaises(Damaged):
                verify(path)


if __name__ == "__main__":
    unittest.main()
