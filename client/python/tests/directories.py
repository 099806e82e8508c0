"""Made directories, each made once and copied for whoever damages it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import unittest

from energygrid_results.command import describe
from energygrid_results.verification import verify

from . import made

_ROOT = tempfile.mkdtemp(prefix="energygrid-results-")
atexit.register(shutil.rmtree, _ROOT, ignore_errors=True)
_made: dict[str, str] = {}


def whole(shape: str) -> str:
    """A whole directory of a shape (`site`, `device`, `node`); not to be written to."""
    if shape not in _made:
        _made[shape] = made.make(os.path.join(_ROOT, shape), getattr(made, f"{shape}_shape")())
    return _made[shape]


class DirectoryTest(unittest.TestCase):
    """shape: what `self.copy` is a copy of."""

    shape = "site"

    def setUp(self):
        self.copy = os.path.join(_ROOT, f"copy-of-{self.shape}")
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(whole(self.shape), self.copy)

    def sentences(self, path=None):
        """What verify says is wrong."""
        return [describe(f) for f in verify(path or self.copy).findings]

    def assert_named(self, *fragments, path=None):
        """One sentence holds all the fragments."""
        said = self.sentences(path)
        self.assertTrue(any(all(f in s for f in fragments) for s in said), f"{fragments} in none of {len(said)} sentences:\n" + "\n".join(said[:20]))
        return said

    def trials(self):
        return made.get_journal(self.copy, "trials.ndjson")

    def put_trials(self, documents, renumber=True):
        """Writes trials with right hashes, and, unless told not to, right sequence numbers; seals all."""
        if renumber:
            documents = [{**d, "sequence": i} for i, d in enumerate(documents)]
        made.put_journal(self.copy, "trials.ndjson", documents)
        made.reseal(self.copy)

    def edit(self, name, old, new, count=1, seal=True):
        """Replaces bytes of a file, which has to hold them."""
        data = made.read(self.copy, name)
        assert old in data, f"{old!r} is not in {name}"
        made.write(self.copy, name, data.replace(old, new, count))
        if seal:
            made.reseal(self.copy)
