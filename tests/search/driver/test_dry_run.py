"""What a session would take, as ``--dry-run`` estimates it."""

import pytest

from search.driver import dry_run
from search.spec.resolve import resolve
from tests.study_harness import PREPARED
from trainables.tasks.text_inputs import PreparedTexts


@pytest.mark.parametrize(
    ("gpus", "here", "said"),
    [
        (0.0, True, "s an epoch and core (measured on this machine); 6 trials of at most 4 epochs"),
        (0.5, True, "s an epoch and GPU (measured on this machine)"),
        (0.5, False, "time: unknown: trials compute on GPUs, and none is here to measure on"),
    ],
)
def test_a_gpus_time_is_not_a_cores(tables, monkeypatch, gpus, here, said):
    """There is no GPU: which device is measured is written down, and not done."""
    measured: list[str] = []

    def seconds(device):
        measured.append(device)
        return 1e-6

    monkeypatch.setattr("torch.cuda.is_available", lambda: here)
    monkeypatch.setattr("trainables.core.device.prepare_device", lambda name, threads: name)
    monkeypatch.setattr("trainables.attempts.probe.seconds_per_token", seconds)
    monkeypatch.setattr(PreparedTexts, "training_steps", lambda self: 1000)
    spec = resolve(tables | {"resources": {"gpus_per_trial": gpus}}, "x")
    told = dry_run._time(spec, 6, PREPARED, [(spec, {"hidden_size": 4})])
    assert said in told
    assert measured == (["cuda" if gpus else "cpu"] if here else [])
    assert ("GPU-hours" if gpus else "core-hours") in told or not here
