"""An attempt is timed as a search runs it, its checkpoints by the thread that writes them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tests.gpu.sections import attempts
from tests.gpu.setting import Setting
from trainables.attempts.attempt import begin
from trainables.data.corpus import open_corpus


class Counting(ThreadPoolExecutor):
    """A GPU's executor, which counts what it is given."""

    given = 0

    def submit(self, *call, **named):
        self.given += 1
        return super().submit(*call, **named)


@pytest.mark.lengthy
def test_an_attempt_is_timed_behind_training_and_in_line(tmp_path, monkeypatch):
    storing = Counting(1)

    def begun(assignment, folder):
        return replace(begin(assignment, folder), storing=storing)

    monkeypatch.setattr(attempts, "begin", begun)
    setting = Setting("cpu", tmp_path)
    with attempts.corpus_of(setting, 30) as corpus:
        figures = attempts.time_attempt(setting, corpus, 8, "float32")
        stored = sorted(path.name for path in corpus.glob("*.safetensors"))
    assert figures.keys() == {"attempt epoch_s", "attempt in line epoch_s"}
    assert min(map(float, figures.values())) > 0
    assert len(stored) == 1 + 2 * attempts._EPOCHS
    assert storing.given == 1 + attempts._EPOCHS
    assert storing._shutdown


def test_its_corpus_is_the_settings_texts_for_a_while(tmp_path):
    setting = Setting("cpu", tmp_path)
    with attempts.corpus_of(setting, 30) as folder:
        corpus = open_corpus(folder)
        assert corpus.vocabulary == setting.vocabulary and len(corpus.classes) == 2
        part, texts = corpus.part("train"), setting.texts(30)
        assert np.array_equal(part.ids, texts.ids) and np.array_equal(part.labels, texts.labels)
        assert len(corpus.part("validation")) == 40  # as many as toy size has
    assert list(tmp_path.iterdir()) == []
