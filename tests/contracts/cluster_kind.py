"""What every kind of cluster must hold to; inherit it and say which kind."""

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.kinds import KINDS
from cluster.kinds.base import ClusterKind

ROOT = Path(__file__).parents[2]


class ClusterKindContract:
    """Needs fixtures ``text``, what ``--cluster`` takes, and ``kind``, the class."""

    def test_its_text_is_its_own(self, text: str, kind: type[ClusterKind]):
        assert [other for other in KINDS if other.parse(text) is not None] == [kind]

    @pytest.mark.parametrize("foreign", ["", "a b", "ftp://x"])
    def test_other_texts_are_not(self, kind, foreign):
        assert kind.parse(foreign) is None

    def test_says_where_it_is_and_what_it_takes(self, text, kind):
        assert str(kind.parse(text)) and kind.syntax

    def test_one_core_a_trial_is_never_too_many(self, text, kind):
        kind.parse(text).check(cpus_per_trial=1)


_START = """
import sys
from pathlib import Path
from cluster.connect import connect
from cluster.kinds import parse_cluster
from cluster.kinds.base import StartRequest
import ray

request = StartRequest("a", cpus=3, packages=(), logs=Path(), tell=print)
with connect(parse_cluster(sys.argv[1]), request) as nodes:
    assert sum(node.cpus for node in nodes) >= 1
    assert all(node.memory > 0 for node in nodes)
    assert ray.get(ray.remote(lambda: 7).remote()) == 7
assert not ray.is_initialized()
"""


class StartableKindContract(ClusterKindContract):
    """A kind that a test can start, in a process of its own; marked slow."""

    @pytest.mark.slow
    def test_starts_offers_and_stops(self, text):
        subprocess.run([sys.executable, "-c", _START, text], cwd=ROOT, check=True, timeout=120)
