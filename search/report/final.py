"""A study's end in words, from its ``final.json``."""

from typing import Any


def final_lines(result: dict[str, Any]) -> list[str]:
    """Return what came of the winner and of the baseline, line by line."""
    metric, texts = result["metric"], result["texts"]
    lines = [f"{metric} over {texts:,} texts, opened {_times(result['test_opened'])}"]
    for role in ("baseline", "winner"):
        lines.append(f"  {role}: {_row(result[role])}")
    scores = result["scores"]
    if scores["ece"] is not None:
        lines.append(
            f"  the winner's seeds together: {result['ensemble']:.4f}; calibration error of the "
            f"model handed over: {scores['ece']:.3f}"
        )
    for one in scores["classes"][:20]:
        lines.append(
            f"  {one['name']}: precision {one['precision']:.3f}, recall {one['recall']:.3f}, F1 "
            f"{one['f1']:.3f} over {one['texts']} texts"
        )
    return [*lines, result["verdict"]]


def _row(row: dict[str, Any]) -> str:
    low, high = row["ci95"]
    which = "its own [baseline]" if row["trial"] is None else f"trial {row['trial']}"
    each = ", ".join(f"{value:.4f}" for value in row["test"])
    return (
        f"{row['mean']:.4f} ± {row['sd']:.4f} ({low:.4f} to {high:.4f}), {which}, "
        f"{row['epochs']} epochs, {len(row['test'])} seeds: {each}"
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
