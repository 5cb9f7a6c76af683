"""Fixtures that many tests share."""

from pathlib import Path
from typing import Any

import pytest

from tests.reviews import write_reviews


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
