"""What the built-in studies reach on IMDB: each row of FIGURES.md's accuracy, by its command.

``python tests/benchmarks/accuracy.py [--only NAME …] [--unlabelled FOLDER]`` runs one search after
another and prints a line for each: the command, the best value of every trial, and their mean.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: A configuration for three seeds that differ in nothing else.
_COMMON = ("pooling=mean", "dropout=0.3", "word_dropout=0.15", "batch_size=64")
_LEARNT = (*_COMMON, "embedding_dim=64", "hidden_size=32", "learning_rate=5e-3")
_GIVEN = (
    *(*_COMMON, "hidden_size=64", "bidirectional=true", "learning_rate=3e-3"),
    *("embedding_lr_factor=1.0", "freeze_embedding=false", "freeze_epochs=0"),
)


def _seeds(study: str, fixed: tuple[str, ...]) -> list[str]:
    """Return the arguments of three trials of three epochs that differ in their seeds alone."""
    options = ["search.sampler=random", "stopping.max_epochs=3", "stopping.grace_epochs=3"]
    sets = [f"--set={one}" for one in [*(f"fixed.{one}" for one in fixed), *options]]
    return [study, "--trials", "3", *sets]


ROWS: dict[str, list[str]] = {
    "lstm": ["imdb-untuned"],
    "gru": ["imdb-untuned", "--set=fixed.cell=gru"],
    "rnn": ["imdb-untuned", "--set=fixed.cell=rnn"],
    "seeds": _seeds("imdb-demo", _LEARNT),
    "seeds-glove": _seeds("imdb-glove", _GIVEN),
    "seeds-word2vec": _seeds("imdb-word2vec", _GIVEN),
    **{name: [name, "--trials", "1"] for name in ("imdb", "imdb-glove", "imdb-word2vec")},
    **{name: [name, "--trials", "1"] for name in ("imdb-wide", "rotten-tomatoes", "imdb-bert")},
    "demo": ["imdb-demo"],
}


def measure(arguments: list[str], folder: Path) -> list[float]:
    """Run a search to its end; return each trial's best value, in order."""
    program = [sys.executable, "-m", "search"]
    place = ["--results-dir", str(folder)]
    with (folder / "log.txt").open("w") as log:
        run = [*program, "run", *arguments, "--name", "one", *place]
        subprocess.run(run, check=True, stdout=log, stderr=log)
    listed = [*program, "trials", "one", "--format", "json", *place]
    done = subprocess.run(listed, check=True, capture_output=True, text=True)
    return [trial["value"] for trial in json.loads(done.stdout)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--unlabelled", help="reviews without labels, for Word2Vec")
    options = parser.parse_args()
    for name in options.only:
        arguments = list(ROWS[name])
        if name == "imdb-word2vec" and options.unlabelled:
            arguments.append(f"--set=embeddings.unlabelled={options.unlabelled}")
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            values = measure(arguments, Path(folder))
            seconds = time.monotonic() - started
        print(f"{name}: seqtune run {shlex.join(arguments)}")
        mean = sum(values) / len(values)
        shown = " ".join(f"{value:.4f}" for value in values)
        print(f"  best {max(values):.4f}, mean {mean:.4f} of {shown}; {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
