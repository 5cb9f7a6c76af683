"""From 25,000 raw reviews to a corpus on the disk, cold, and opened again, warm.

``python tests/benchmarks/prepare.py [--quick]``. Each is the whole of ``prepare`` in a process of
its own, imports of the data libraries included; beside it the ``tokenizers`` library learns and
numbers the same cleaned texts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tokenizers import Tokenizer, models, trainers
from verdict import Figure, conclude, spread

from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.data.splitting.parts import cut_parts
from trainables.data.tables.read import read_tables
from trainables.data.text.tokens import SPECIAL, clean, tokenise
from trainables.data.text.words import word_splitter
from trainables.storage import Cache

SPEC = DataSpec(source="imdb", vocabulary=20000)


def time_prepare(cache: Path) -> float:
    started = time.perf_counter()
    prepare(SPEC, Cache(cache))
    return time.perf_counter() - started


def time_sides(cache: Path) -> tuple[float, float]:
    """Seconds to learn the words and number the texts: ours, and the library's."""
    parts = cut_parts(read_tables(SPEC, cache), SPEC, "class")
    texts = {part: [clean(text) for text in some] for part, some in parts.texts.items()}
    started = time.perf_counter()
    tokenise("words", texts, SPEC.vocabulary)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIAL[1]))
    tokenizer.pre_tokenizer = word_splitter()
    trainer = trainers.WordLevelTrainer(
        vocab_size=SPEC.vocabulary, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(texts["train"], trainer)
    for some in texts.values():
        for encoding in tokenizer.encode_batch_fast(some, add_special_tokens=False):
            len(encoding.ids)
    return ours, time.perf_counter() - started


def measure(step: str, cache: Path) -> float:
    command = [sys.executable, __file__, "--step", step, "--cache", str(cache)]
    return float(json.loads(subprocess.check_output(command, text=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each, judges nothing")
    parser.add_argument("--step", choices=["prepare"], help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(time_prepare(given.cache)))
        return 0
    cold, warm, ratios = [], [], []
    for _ in range(1 if given.quick else 3):
        with tempfile.TemporaryDirectory() as place:
            cold.append(measure("prepare", Path(place)))
            warm.append(measure("prepare", Path(place)))
            ours, librarys = time_sides(Path(place))
            ratios.append(librarys / ours)
    print(
        f"cold {spread(cold)} s, warm {spread(warm)} s; words learnt and numbered "
        f"{spread(ratios)} times as fast as by the library"
    )
    figures = {
        "cold_seconds": Figure(statistics.median(cold), "<=6"),
        "warm_seconds": Figure(statistics.median(warm), "<=0.5"),
        "ratio_to_library": Figure(statistics.median(ratios)),
    }
    return conclude("prepare", figures, given.quick)


if __name__ == "__main__":
    sys.exit(main())
