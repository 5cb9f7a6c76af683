"""Every cell that a study may name."""

from pathlib import Path

import pytest

from tests.contracts.cell import CellContract
from trainables.networks.cells import CELLS, Cell

EXAMPLES = Path(__file__).parents[2] / "examples"


class TestCells(CellContract):
    @pytest.fixture(params=CELLS)
    def cell(self, request):
        return CELLS[request.param]


class TestCellOfOnesOwn(CellContract):
    """The example that CONTRIBUTING names."""

    @pytest.fixture
    def cell(self, monkeypatch):
        monkeypatch.syspath_prepend(str(EXAMPLES))
        return Cell("minimal_gated_unit:Mgu", 2, "minimal gated unit", "Zhou 2016")
