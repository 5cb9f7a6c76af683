"""What every recurrent cell must hold to; inherit it and say which cell.

Tests of a whole network over it (``tests/trainables/networks/test_encoders.py``) and of its
training (``tests/trainables/core/test_trainer.py``) run for every cell of the registry as well.
"""

import copy

import pytest
import torch

from trainables.kernels.steps import Steps
from trainables.networks.cells import Cell


class CellContract:
    """Needs a fixture ``cell``. Shapes: B texts, T tokens, E features, H units."""

    @pytest.fixture
    def layer(self, cell: Cell):
        torch.manual_seed(0)
        return cell.load()(4, 6)

    def test_an_output_for_every_step(self, layer):
        y_BTH = layer.read(Steps.of(torch.randn(3, 7, 4)), 0.0)
        assert y_BTH.shape == (3, 7, 6) and y_BTH.isfinite().all()

    def test_a_step_sees_no_later_one(self, layer):
        x_BTE = torch.randn(2, 8, 4)
        other_BTE = x_BTE.clone()
        other_BTE[:, 5:] = 9.0
        y_BTH, other_BTH = (layer.read(Steps.of(x), 0.0) for x in (x_BTE, other_BTE))
        torch.testing.assert_close(y_BTH[:, :5], other_BTH[:, :5])
        assert not torch.allclose(y_BTH[:, 5:], other_BTH[:, 5:])

    def test_a_step_remembers_earlier_ones(self, layer):
        x_BTE = torch.randn(2, 4, 4)
        other_BTE = x_BTE.clone()
        other_BTE[:, 0] += 1.0
        y_BTH, other_BTH = (layer.read(Steps.of(x), 0.0) for x in (x_BTE, other_BTE))
        assert not torch.allclose(y_BTH[:, -1], other_BTH[:, -1])

    def test_texts_do_not_see_each_other(self, layer):
        x_BTE = torch.randn(3, 5, 4)
        whole_BTH = layer.read(Steps.of(x_BTE), 0.0)
        alone_BTH = layer.read(Steps.of(x_BTE[1:2]), 0.0)
        torch.testing.assert_close(whole_BTH[1:2], alone_BTH)

    def test_words_are_read_as_their_rows(self, layer):
        """A batch holds each word once, and where it stands."""
        words = Steps(torch.randn(9, 4), torch.randint(0, 9, (3, 6)))
        torch.testing.assert_close(layer.read(words, 0.0), layer.read(Steps.of(words.dense()), 0.0))

    def test_every_weight_learns(self, layer):
        layer.read(Steps.of(torch.randn(3, 7, 4)), 0.0).square().sum().backward()
        for name, parameter in layer.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name

    def test_weight_drop_zeroes_in_training_only(self, layer):
        x = Steps.of(torch.randn(2, 6, 4))
        whole_BTH = layer.eval().read(x, 0.0)
        torch.testing.assert_close(layer.eval().read(x, 0.9), whole_BTH)
        dropped_BTH = layer.train().read(x, 0.9)
        assert not torch.allclose(dropped_BTH, whole_BTH)
        torch.testing.assert_close(layer.eval().read(x, 0.0), whole_BTH)

    def test_stored_weights_are_all_there_is(self, layer, cell):
        other = cell.load()(4, 6)
        other.load_state_dict(copy.deepcopy(layer.state_dict()))
        x = Steps.of(torch.randn(2, 6, 4))
        assert torch.equal(other.eval().read(x, 0.0), layer.eval().read(x, 0.0))

    def test_its_gates_count_its_weights(self, layer, cell):
        """Memory is estimated by them: two matrices and two biases a gate, at most."""
        counted = cell.gates * 6 * (4 + 6 + 2)
        assert sum(parameter.numel() for parameter in layer.parameters()) <= counted

    def test_says_where_it_comes_from(self, cell):
        assert cell.description and cell.source
