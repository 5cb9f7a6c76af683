"""Fixtures that many tests share, and what is left out where torch is not installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.reviews import small_study, write_reviews

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
    return small_study(reviews)


@pytest.fixture
def harness(tmp_path, tables):
    # It needs Optuna, which a machine that only trains may lack.
    from tests.study_harness import StudyHarness

    return StudyHarness(tmp_path, tables)
