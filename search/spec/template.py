"""A study file for somebody's data: what was found in it, and a space and limits that suit it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: What a comment may not hold.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class Found:
    """What decides on a study for a data set.

    Attributes:
        data: keys of the ``[data]`` table that are not as by default.
        rows: training texts.
        typical_length: tokens that 95 of a hundred texts have at most.
        said: lines that were found out, for the head of the file.
    """

    name: str
    task: str
    data: Mapping[str, object]
    rows: int
    typical_length: int
    said: Sequence[str]


def max_tokens(typical_length: int) -> int:
    """Return a limit that few texts exceed, and that bounds the time of a step."""
    return min(1000, max(16, -(-typical_length // 16) * 16))


def study_file(found: Found) -> str:
    """Return a commented study file."""
    small, large = found.rows < 5_000, found.rows > 100_000
    sizes = [16, 32, 64] if small else ([64, 128, 256] if large else [32, 64, 128])
    batches = [16, 32, 64] if small else ([128, 256, 512] if large else [32, 64, 128])
    epochs, trials = (20, 40) if small else ((4, 20) if large else (10, 30))
    classes = found.task == "text-classification"
    data = {"max_tokens": max_tokens(found.typical_length), **found.data}
    lines = [
        *(f"# {_UNPRINTABLE.sub(' ', line)}" for line in found.said),
        f"name = {json.dumps(found.name)}",
        f"task = {json.dumps(found.task)}",
        'metric = "val/accuracy"        # or val/macro_f1, where classes differ in size'
        if classes
        else 'metric = "val/mae"             # or val/rmse, val/r2',
        "",
        "[data]",
        *(f"{key} = {_literal(value)}" for key, value in data.items()),
        "",
        "[fixed]                        # whatever is not searched",
        'cell = "lstm"                  # or gru, rnn',
        "",
        f"[space]                        # for {found.rows:,} training texts",
        f"embedding_dim = {sizes}",
        f"hidden_size = {sizes}",
        "bidirectional = [false, true]",
        'pooling = ["last", "mean", "max", "concat"]',
        f"dropout = {{ low = 0.0, high = {0.6 if small else 0.5} }}",
        "word_dropout = { low = 0.0, high = 0.3 }",
        "learning_rate = { low = 3e-4, high = 1e-2, log = true }",
        "weight_decay = { low = 1e-6, high = 1e-1, log = true }",
        f"batch_size = {batches}",
        "",
        "[search]",
        f"trials = {trials}",
        "",
        "[stopping]",
        f"max_epochs = {epochs}",
        "grace_epochs = 1",
        "reduction_factor = 3",
    ]
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    """Return a TOML literal: JSON's, for texts, numbers, booleans and lists of them."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_literal(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
