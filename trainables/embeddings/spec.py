"""The ``[embeddings]`` table of a study: where pre-trained word vectors come from."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainables.data.spec import Place

#: Sources that are no files: a package's vectors, and vectors learnt from the study's own texts.
PACKAGED_GLOVE, TRAINED_HERE = "6B.50d", "train"


class EmbeddingsSpec(BaseModel):
    """Sources of word vectors, used by trials whose ``embedding`` names them; frozen.

    ``glove`` is ``6B.50d`` (the package of the extra ``glove``) or a path to Stanford's .txt or
    .zip. ``word2vec`` is ``train`` (skip-gram on the study's own training texts, once) or a path
    to a .bin, .vec or .kv file. ``unlabelled`` is more text to learn them from: a file or folder
    like ``data.source``, labels or none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    glove: Place = PACKAGED_GLOVE
    word2vec: Place = TRAINED_HERE
    word2vec_dim: int = Field(default=100, ge=1, le=2000)
    unlabelled: Place | None = None
    word2vec_epochs: int = Field(default=5, ge=1, le=1000)

    @model_validator(mode="after")
    def _used(self) -> "EmbeddingsSpec":
        if self.unlabelled is not None and self.word2vec != TRAINED_HERE:
            raise ValueError('unlabelled text is only for word2vec = "train"')
        return self

    def places(self) -> dict[str, str]:
        """The settings that name a place, not what needs none."""
        named = {"glove": self.glove, "word2vec": self.word2vec, "unlabelled": self.unlabelled}
        words = {"glove": PACKAGED_GLOVE, "word2vec": TRAINED_HERE}
        return {k: value for k, value in named.items() if value and value != words.get(k)}
