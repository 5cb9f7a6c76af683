"""A running average of the weights."""

from torch import nn

from trainables.core.averaging import AverageModel


def test_an_averages_weights_lie_as_cudnn_reads_them(monkeypatch):
    """Or it would gather them in each pass over the validation part."""
    model = nn.ModuleList([nn.LSTM(3, 4), nn.ModuleList([nn.GRU(4, 2)]), nn.Linear(2, 1)])
    flattened: list[nn.RNNBase] = []
    monkeypatch.setattr(nn.RNNBase, "flatten_parameters", lambda layer: flattened.append(layer))
    average = AverageModel(model, 0.9)
    layers = [module for module in average.modules() if isinstance(module, nn.RNNBase)]
    assert len(layers) == 2 and flattened == layers
