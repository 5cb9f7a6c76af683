"""What an optimiser brings with it."""

import subprocess
import sys
from pathlib import Path

import pytest

_TRAIN = """
import sys
from pathlib import Path
from tests.builders import make_trainer
for optimizer in ("adam", "adamw", "sgd"):
    trainer = make_trainer(optimizer=optimizer, ema_decay=0.9, num_layers=2, bidirectional=True)
    trainer.train_epoch()
    trainer.evaluate(trainer.train)
    trainer.save(Path(sys.argv[1]))
    trainer.load(Path(sys.argv[1]))
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""


@pytest.mark.lengthy
def test_a_process_that_trains_never_imports_the_compiler(tmp_path):
    """It would take 72 MB and 1.8 s, in every trial's process."""
    command = [sys.executable, "-c", _TRAIN, str(tmp_path / "x.safetensors")]
    root = Path(__file__).parents[3]
    said = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True).stdout
    assert said.split() == ["True", "False"]
