"""A model of the lecture's size at work: reviews a second, the first answer, and behind HTTP.

``python tests/benchmarks/serving.py [--quick]``. The weights are random, the vocabulary and the
texts are IMDB's. The command and the server have one core each; who asks has the other.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from safetensors.torch import save
from verdict import Figure, conclude, spread

from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.data.splitting.parts import cut_parts
from trainables.data.tables.read import read_tables
from trainables.serving.folder import ModelFiles, ModelSpec, write_model
from trainables.serving.model import build_network
from trainables.storage import Cache
from trainables.tasks.registry import find_task

DATA = DataSpec(source="imdb", vocabulary=20000, max_tokens=400)
LECTURE = {"cell": "lstm", "pooling": "last", "embedding_dim": 64, "hidden_size": 64}
SEQTUNE = [sys.executable, "-m", "search"]
ONE_CORE = {min(os.sched_getaffinity(0))}


def make_model(folder: Path, cache: Cache) -> list[str]:
    """Write a model; return all reviews."""
    corpus = prepare(DATA, cache, "class")
    kind = find_task("text-classification").declaration.hyperparameters
    spec = ModelSpec(
        task="text-classification",
        hyperparameters=kind.model_validate(LECTURE).model_dump(),
        max_tokens=DATA.max_tokens,
        keep=DATA.keep,
        vocabulary=corpus.vocabulary,
        classes=tuple(corpus.classes),
    )
    weights = save(dict(build_network(spec).state_dict()))
    tokenizer = corpus.tokenizer_file.read_bytes()
    write_model(folder, ModelFiles(spec, weights, tokenizer, b"", {}, ""))
    parts = cut_parts(read_tables(DATA, cache.datasets), DATA, "class")
    return [text for texts in parts.texts.values() for text in texts]


def on_one_core() -> None:
    os.sched_setaffinity(0, ONE_CORE)


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, preexec_fn=on_one_core)
    return time.perf_counter() - started


def reviews_a_second(folder: Path, texts: list[str], place: Path) -> float:
    """The whole command over a file, less its start."""
    files = []
    for count in (8, len(texts)):
        path = place / f"{count}.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[:count]))
        files.append(path)
    command = [*SEQTUNE, "predict", str(folder), "--threads", "1", "--output"]
    few, many = (timed([*command, str(place / "o.jsonl"), "--input", str(file)]) for file in files)
    return (len(texts) - 8) / (many - few)


def asked(port: int, texts: list[list[str]], clients: int) -> tuple[float, list[float]]:
    """Ask for each of ``texts``, so many at a time; return requests a second, and seconds each."""

    def ask(some: list[list[str]]) -> list[float]:
        line, taken = http.client.HTTPConnection("127.0.0.1", port), []
        for one in some:
            started = time.perf_counter()
            body = json.dumps({"texts": one})
            line.request("POST", "/predict", body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            assert len(json.loads(content)["predictions"]) == len(one)
            taken.append(time.perf_counter() - started)
        return taken

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        taken = [
            s for some in pool.map(ask, [texts[k::clients] for k in range(clients)]) for s in some
        ]
    return len(texts) / (time.perf_counter() - started), taken


def serve(folder: Path, texts: list[str], quick: bool) -> dict[str, Figure]:
    command = [*SEQTUNE, "serve", str(folder), "--port", "0", "--threads", "1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=on_one_core)
    try:
        found = re.search(r":(\d+)/predict", server.stdout.readline())
        port, count = int(found[1]), 200 if quick else 2000
        singles = [[texts[k % len(texts)]] for k in range(count)]
        batches = [[texts[(k + i) % len(texts)] for i in range(64)] for k in range(count // 20)]
        figures = {}
        for name, some, clients in (
            ("alone", singles, 1),
            ("32_at_a_time", singles, 32),
            ("batches_of_64", batches, 4),
        ):
            rate, taken = asked(port, some, clients)
            late = float(np.quantile(taken, 0.99))
            reviews = rate * len(some[0])
            print(
                f"{name}: {reviews:,.0f} reviews/s, {1000 * statistics.median(taken):.1f} ms, "
                f"99 % within {1000 * late:.1f} ms"
            )
            figures[f"http_{name}_reviews_per_second"] = Figure(reviews)
            figures[f"http_{name}_p99_ms"] = Figure(1000 * late)
        return figures
    finally:
        server.terminate()
        server.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each, judges nothing")
    given = parser.parse_args()
    times = 1 if given.quick else 5
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        texts = make_model(place / "model", Cache(place / "cache"))
        some = texts[:2000] if given.quick else texts
        rates = [reviews_a_second(place / "model", some, place) for _ in range(min(times, 3))]
        first = [*SEQTUNE, "predict", str(place / "model"), "a warm and moving film"]
        ratios, answers = [], []
        for _ in range(times):
            answers.append(timed(first))
            ratios.append(answers[-1] / timed([sys.executable, "-c", "import torch"]))
        print(
            f"{spread(rates)} reviews/s in batch; the first answer after {spread(answers)} s, "
            f"{spread(ratios)} times `import torch`"
        )
        figures = {
            "reviews_per_second": Figure(statistics.median(rates), ">=2000"),
            "first_answer_to_import_torch": Figure(statistics.median(ratios), "<=1.5"),
            **serve(place / "model", texts, given.quick),
        }
    return conclude("serving", figures, given.quick)


if __name__ == "__main__":
    sys.exit(main())
