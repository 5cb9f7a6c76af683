"""What the probe would find that chooses a trial's precision, by size of its batches."""

from tests.gpu.record import Record
from tests.gpu.setting import Setting
from tests.gpu.timing import warm_up
from trainables.attempts.probe import seconds_per_token
from trainables.core.device import prepare_device
from trainables.core.precision import precisions
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters


def measure(setting: Setting, record: Record) -> None:
    """Take down nanoseconds a token of both precisions."""
    device = prepare_device(setting.device, 1)
    units, batches = (8, (16,)) if setting.toy else (128, (128, 2048))
    warm_up(setting.device)
    for batch in batches:
        h = RecurrentClassifierHyperparameters(
            embedding_dim=units, hidden_size=units, batch_size=batch
        )
        for precision in precisions(device):
            name = f"B={batch} {precision}"
            with record.trying(name):
                seconds = seconds_per_token(device, precision, h)
                record.add({f"{name} ns_per_token": round(1e9 * seconds, 3)})
