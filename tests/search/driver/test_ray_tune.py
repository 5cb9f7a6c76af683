"""What is handed to Ray, without Ray."""

import numpy as np
import pytest
import ray

from search.driver.capacity import TrialResources
from search.driver.ray_tune import _trainable
from trainables.trial import RecurrentTrial


def test_only_data_for_other_machines_goes_into_the_object_store(monkeypatch):
    """Ray ends the driver, with exit code 1 and no word, over the loss of what it owns there."""

    def put(thing):
        raise AssertionError("put into the object store")

    monkeypatch.setattr(ray, "put", put)
    assert issubclass(_trainable(TrialResources(1, 0.0, 2)), RecurrentTrial)
    with pytest.raises(AssertionError, match="object store"):
        _trainable(TrialResources(1, 0.0, 2, parcel={"corpus.json": np.zeros(2, np.uint8)}))
