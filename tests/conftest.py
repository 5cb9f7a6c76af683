"""Fixtures that many tests share, and what is left out where torch is not installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.reviews import write_reviews

_HAS_TORCH = find_spec("torch") is not None

#: Files that import torch themselves: ``make test-light`` has none.
collect_ignore = (
    [] if _HAS_TORCH else ["search/report/test_neighbours.py", "trainables/data/test_edits.py"]
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _HAS_TORCH:
        skip = pytest.mark.skip(reason="torch is not installed")
        for item in items:
            if item.get_closest_marker("whole"):
                item.add_marker(skip)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return write_reviews(tmp_path / "reviews.csv")


@pytest.fixture
def tables(reviews: Path) -> dict[str, Any]:
    """A small study over ``reviews``, as TOML tables."""
    return {
        "name": "small",
        "data": {"source": str(reviews), "max_tokens": 16, "vocabulary": 100},
        "fixed": {"embedding_dim": 8, "batch_size": 16},
        "space": {
            "hidden_size": [4, 8],
            "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
        },
        "search": {"trials": 6, "sampler": "tpe", "seed": 1},
        "stopping": {
            "max_epochs": 4,
            "grace_epochs": 1,
            "reduction_factor": 2,
            "losers": "stop",
        },
    }


@pytest.fixture
def harness(tmp_path, tables):
    # It needs Optuna, which a machine that only trains may lack.
    from tests.study_harness import StudyHarness

    return StudyHarness(tmp_path, tables)
