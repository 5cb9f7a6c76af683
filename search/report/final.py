"""A study's end in words, from its ``final.json``."""

import json
from typing import Any

from search.report.content import Listing, Paragraph, Part, Section, Subject, Table
from search.report.tables import figure, short


def final_lines(result: dict[str, Any]) -> list[str]:
    """Return what came of the winner and of the baseline, line by line."""
    metric, texts = result["metric"], result["texts"]
    lines = [f"{metric} over {texts:,} texts, opened {_times(result['test_opened'])}"]
    for role in ("baseline", "winner"):
        lines.append(f"  {role}: {_row(result[role])}")
    for role in ("baseline", "winner"):
        lines += _first_seed(role, result[role])
    return [*lines, *path_lines(result), result["verdict"]]


def _first_seed(role: str, row: dict[str, Any]) -> list[str]:
    """Return what the model of a role's first seed is worth, and its seeds together."""
    scores = row["scores"]
    if scores["ece"] is None:
        return []
    lines = [
        f"the {role}'s seeds together: {figure(row['ensemble'], _scale(row))}; its first seed, "
        f"calibration error {scores['ece']:.3f}:"
    ]
    lines += [
        f"  {one['name']}: precision {one['precision']:.3f}, recall {one['recall']:.3f}, F1 "
        f"{one['f1']:.3f} over {one['texts']} texts"
        for one in scores["classes"][:20]
    ]
    sure = ", ".join(
        f"{one['confidence']:.2f} → {one['accuracy']:.2f} ({one['texts']})"
        for one in scores["reliability"]
    )
    return [*lines, f"  confidence → accuracy (texts): {sure}"]


def path_lines(result: dict[str, Any]) -> list[str]:
    """Return what each step from the baseline to the winner brought, if that was asked for."""
    if "path" not in result:
        return []
    metric, scale = result["metric"].removeprefix("test/"), _scale(result["winner"])
    lines = [
        f"gain in {metric} on the way from the baseline to the winner, over validation texts "
        "(± over seeds alone):"
    ]
    for step in result["path"]:
        what = ", ".join(f"{name} = {short(value)}" for name, value in step["changed"].items())
        gain = step["gain"]
        said = "unknown"
        if gain is not None:
            said = f"{figure(gain['mean'], scale, '+')} ± {figure(gain['se'], scale)}"
        lines.append(f"  {what}: {said}")
    return lines if result["path"] else []


def final_section(subject: Subject) -> Section | None:
    """Return what the study came to on the test part, if it was finalised."""
    path = subject.folder.final_result
    if not path.exists():
        return None
    result = json.loads(path.read_bytes())
    rows = tuple(_cells(role, result[role]) for role in ("baseline", "winner"))
    head = ("", "trial", "epochs", result["metric"], "sd", "95 % interval", "seeds")
    opened = (
        f"{result['verdict'][0].upper()}{result['verdict'][1:]}. Over {result['texts']:,} texts; "
        f"the test part was opened {_times(result['test_opened'])}."
    )
    parts: list[Part] = [Paragraph(opened), Table(head, rows)]
    explained = path_lines(result)
    if explained:
        parts.append(Paragraph(explained[0][0].upper() + explained[0][1:]))
        parts.append(Listing(tuple(line.strip() for line in explained[1:])))
    return Section("On the test part", tuple(parts))


def _cells(role: str, row: dict[str, Any]) -> tuple[Any, ...]:
    mean, sd, low, high = _mean_and_error(row)
    interval = f"{low} to {high}"
    return (role, row["trial"], row["epochs"], mean, sd, interval, len(row["test"]))


def _row(row: dict[str, Any]) -> str:
    mean, sd, low, high = _mean_and_error(row)
    which = "its own [baseline]" if row["trial"] is None else f"trial {row['trial']}"
    each = ", ".join(figure(value, _scale(row)) for value in row["test"])
    return (
        f"{mean} ± {sd} ({low} to {high}), {which}, {row['epochs']} epochs, {len(row['test'])} "
        f"seeds: {each}"
    )


def _mean_and_error(row: dict[str, Any]) -> list[str]:
    """Return a mean over seeds, their deviation, and the ends of its interval."""
    return [figure(value, _scale(row)) for value in (row["mean"], row["sd"], *row["ci95"])]


def _scale(row: dict[str, Any]) -> float:
    """Return how large the figures of a row are."""
    return max(abs(float(row["mean"])), float(row["sd"]))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
