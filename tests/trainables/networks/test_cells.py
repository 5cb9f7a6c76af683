"""Every cell that a study may name."""

import pytest

from tests.contracts.cell import CellContract
from trainables.networks.cells import CELLS


class TestCells(CellContract):
    @pytest.fixture(params=CELLS)
    def cell(self, request):
        return CELLS[request.param]
