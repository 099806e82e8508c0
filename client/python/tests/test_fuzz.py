"""Whatever bytes a directory holds, verify ends in sentences. ENERGYGRID_FUZZ: how many directories (default 90)."""

import json
import os
import random
import shutil
import unittest

from energygrid_results.command import as_document, as_lines
from energygrid_results.reading import Damaged
from energygrid_results.verification import verify

from . import made
from .directories import DirectoryTest, whole

ROUNDS = int(os.environ.get("ENERGYGRID_FUZZ", "90"))
VALUES = [None, True, "", [], {}, "NaN", -1, 0, 1e30, -1e30, 1e300, 10**19, 5e-324, -0.0, 1.5, "x" * 10, "\u202eabc\x1b", ["a"], {"value": None}, [[]], {"a": {}}]
WORDS = ["", "NaN", "-1", "1e999", "9" * 50, '"', "{", "[", '"a', "1e-320", "x", "- ", "\x00", "null", "\r"]


class FuzzTests(DirectoryTest):
    def names(self):
        return sorted(os.path.relpath(os.path.join(here, name), self.copy).replace(os.sep, "/") for here, _, names in os.walk(self.copy) for name in names)

    def ends_in_sentences(self):
        try:
            d = verify(self.copy)
        except Damaged as error:
            self.assertTrue(str(error))
            return None
        for line in as_lines(d):
            self.assertTrue(line.isprintable(), line)
        json.loads(json.dumps(as_document(d), allow_nan=False))
        return d

    def fresh(self):
        shutil.rmtree(self.copy)
        shutil.copytree(whole(self.shape), self.copy)

    def test_a_single_flipped_byte_never_passes(self):
        rng = random.Random(1)
        for _ in range(ROUNDS // 3):
            self.fresh()
            name = rng.choice(self.names())
            data = bytearray(made.read(self.copy, name))
            at = rng.randrange(len(data))
            data[at] ^= 1 << rng.randrange(8)
            made.write(self.copy, name, bytes(data))
            d = self.ends_in_sentences()
            self.assertTrue(d is not None and d.findings, f"byte {at} of {name}")

    def test_cut_doubled_and_spliced_files(self):
        rng = random.Random(2)
        for _ in range(ROUNDS):
            self.fresh()
            name = rng.choice(self.names())
            data = bytearray(made.read(self.copy, name))
            for _ in range(rng.choice([1, 1, 5])):
                at, length = rng.randrange(len(data) + 1), rng.choice([1, 10, 1000])
                kind = rng.random()
                if kind < 0.4:
                    del data[at:at + length]
                elif kind < 0.7:
                    data[at:at] = data[at:at + length]
                elif kind < 0.8:
                    del data[at:]
                else:
                    data[at:at + length] = rng.randbytes(length)
            made.write(self.copy, name, bytes(data))
            if name != "manifest.json" and rng.random() < 0.7:
                made.reseal(self.copy)
            self.ends_in_sentences()

    def test_documents_with_right_hashes_and_wrong_members(self):
        rng = random.Random(3)
        for _ in range(ROUNDS):
            self.fresh()
            name = rng.choice(["manifest.json", "matrix.json", "trials.ndjson", "trials.ndjson", "events.ndjson"])
            if name.endswith("ndjson"):
                documents = made.get_journal(self.copy, name)
                for _ in range(rng.choice([1, 1, 3])):
                    spoil(rng, rng.choice(documents))
                made.put_journal(self.copy, name, documents)
                made.reseal(self.copy)
            else:
                value = json.loads(made.read(self.copy, name))
                for _ in range(rng.choice([1, 1, 3])):
                    spoil(rng, value)
                if name == "manifest.json":
                    made.write_manifest(self.copy, value)
                else:
                    made.write(self.copy, name, json.dumps(value).encode())
                    made.reseal(self.copy)
            self.ends_in_sentences()

    def test_texts_with_wrong_words(self):
        rng = random.Random(4)
        for _ in range(ROUNDS):
            self.fresh()
            name = rng.choice([n for n in self.names() if n.endswith((".csv", ".yaml"))])
            words = made.read(self.copy, name).decode().replace("\n", "\x01\n\x01").replace(",", "\x01,\x01").replace(" ", "\x01 \x01").split("\x01")
            words[rng.randrange(len(words))] = rng.choice(WORDS)
            made.write(self.copy, name, "".join(words).encode())
            made.reseal(self.copy)
            self.ends_in_sentences()


class NodeFuzzTests(FuzzTests):
    shape = "node"


class DeviceFuzzTests(FuzzTests):
    shape = "device"


class ServedFuzzTests(FuzzTests):
    """A serving engine's, and more often its requests than by their number."""

    shape = "lone"

    def test_rows_of_requests_with_right_hashes_and_wrong_members(self):
        rng = random.Random(5)
        for _ in range(ROUNDS // 2):
            self.fresh()
            documents = made.get_journal(self.copy, "trials.ndjson")
            served = rng.choice(documents)["served"]
            name = f"requests/{served['requests']}"
            rows = [json.loads(line) for line in made.read(self.copy, name).splitlines()]
            for _ in range(rng.choice([1, 1, 5])):
                spoil(rng, rng.choice(rows))
            data = bytearray(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
            if rng.random() < 0.3:
                at, length = rng.randrange(len(data)), rng.choice([1, 10, 1000])
                data[at:at + length] = rng.choice([b"", rng.randbytes(length), b"\n", b"[" * length])
            made.write(self.copy, name, bytes(data))
            served["requestsSha256"] = made.hashlib.sha256(data).hexdigest()
            if rng.random() < 0.3:
                spoil(rng, served)
            made.put_journal(self.copy, "trials.ndjson", documents)
            made.reseal(self.copy)
            self.ends_in_sentences()


def spoil(rng, document):
    """Changes, removes or doubles one member somewhere in a document."""
    places, stack = [], [document]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                stack.append(node[key])
    node, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.15:
        del node[key]
    elif kind < 0.25 and isinstance(node, list):
        node.append(node[key])
    elif kind < 0.4 and type(node[key]) in (int, float):
        node[key] *= rng.choice([-1, 0, 2, 1e10])
    else:
        node[key] = rng.choice(VALUES)


del FuzzTests  # its shapes run, not it


if __name__ == "__main__":
    unittest.main()
