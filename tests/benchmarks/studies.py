"""Pieces of a study that no search has made."""

from pathlib import Path

from search.driver.changes import declared
from search.driver.preparation import PreparedData
from search.journal.events import FORMAT, StudyCreated
from search.spec.study import StudySpec
from trainables.attempts.messages import Numerics
from trainables.core.memory import DataShape
from trainables.data.spec import DataSpec
from trainables.tasks.text_inputs import PreparedTexts

NUMERICS = Numerics(
    device="cpu", precision="float32", threads=1, processor="p", recurrence="native"
)


def created(spec: StudySpec) -> StudyCreated:
    """The first event of a study."""
    return StudyCreated(
        format=FORMAT,
        name=spec.name,
        spec=spec.tables(),
        hyperparameters=declared(spec),
        data="k",
        seqtune="0",
    )


def prepared(folder: Path) -> PreparedData:
    """Data that nobody reads."""
    data = DataSpec(source="x")
    return PreparedData(PreparedTexts(folder, DataShape(10, 2, 16), "", data=data, vectors={}))
