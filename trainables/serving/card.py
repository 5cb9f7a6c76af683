"""A model's card, in the style of Hugging Face: metadata for programs, and a page for people."""

from collections.abc import Mapping
from typing import Any

from trainables.serving.folder import ModelSpec

_USE = """## Use

```python
from trainables.serving import load_model

model = load_model("PATH")
for prediction in model.predict(["a text", "another"]):
    print(prediction)
```

Or `seqtune predict PATH "a text"`. Loading executes nothing from this folder.
"""


def model_card(name: str, about: ModelSpec, metrics: Mapping[str, Any]) -> str:
    """Return the card of a model.

    Args:
        name: what it is called, such as ``imdb, trial 7``.
        about: what it is.
        metrics: the content of ``metrics.json``.
    """
    h = about.hyperparameters
    network = f"{h['cell'].upper()}, {h['num_layers']} × {h['hidden_size']} units"
    both = ", both directions" if h["bidirectional"] else ""
    classes = f" of {len(about.classes)} classes" if about.classes else ""
    source = metrics["provenance"]["data"]["source"]
    lines = [
        f"# {name}",
        "",
        f"A recurrent network for {about.task.replace('-', ' ')}{classes}: {network}{both}, "
        f"embedding of {h['embedding_dim']} numbers ({h['embedding']}), pooling {h['pooling']}. "
        f"It reads the {about.keep} of a text, {about.max_tokens} tokens at most, of "
        f"{about.vocabulary:,}. Found by [seqtune]({_HOME}).",
        "",
        *([f"Classes: {', '.join(about.classes[:50])}.", ""] if about.classes else []),
        "## Scores",
        "",
        "| metric | value |",
        "| --- | --- |",
        *(f"| {metric} | {value:.4g} |" for metric, value in _plain(metrics["metrics"])),
        "",
        *_over_seeds(metrics),
        "Validation scores choose the model, and are optimistic for that."
        if metrics["part"] == "validation"
        else "Of the test part, which no choice has seen.",
        "",
        _USE,
        "## Where it comes from",
        "",
        *(f"- {key}: {value}" for key, value in metrics["provenance"].items() if key != "code"),
        "",
    ]
    return _metadata(name, about, metrics, source) + "\n".join(lines)


_HOME = "https://pypi.org/project/seqtune/"


def _plain(metrics: Mapping[str, Any]) -> list[tuple[str, float]]:
    return [(k, v) for k, v in metrics.items() if v is not None and "confusion" not in k]


def _over_seeds(metrics: Mapping[str, Any]) -> list[str]:
    """Return what the configuration comes to on average, of which this model is one draw."""
    said = metrics.get("over_seeds")
    if said is None:
        return []
    low, high = said["ci95"]
    return [
        f"This is the first of {len(said['test'])} seeds; their mean {said['metric']} is "
        f"{said['mean']:.4f} ({low:.4f} to {high:.4f}, 95 %).",
        "",
    ]


def _metadata(name: str, config: ModelSpec, metrics: Mapping[str, Any], source: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    tag = "text-classification" if config.classes else "text-regression"
    results = [
        EvalResult(
            task_type=tag,
            dataset_type=source,
            dataset_name=source,
            dataset_split=metrics["part"],
            metric_type=metric.rpartition("/")[2],
            metric_value=value,
        )
        for metric, value in _plain(metrics["metrics"])
        if not metric.startswith("train/")
    ]
    data = ModelCardData(
        library_name="seqtune",
        pipeline_tag="text-classification" if config.classes else None,
        tags=["seqtune", "recurrent-neural-network", str(config.hyperparameters["cell"]), tag],
        model_name=name,
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---\n\n"
