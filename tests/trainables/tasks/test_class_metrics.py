"""Names of a confusion matrix's entries, whatever classes are called."""

from hypothesis import given
from hypothesis import strategies as st

from trainables.core.memory import DataShape
from trainables.tasks.class_metrics import confused_classes, confusion_name, unreported

NAMES = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from(["as", "\\as", "a", "|", "\n", " ", "\\", "b"]), max_size=7).map(
        " ".join
    ),
)


@given(NAMES, NAMES)
def test_both_classes_are_read_back(true, said):
    assert confused_classes(confusion_name(true, said)) == (true, said)


def test_ordinary_names_stay_as_they_are():
    assert confusion_name("good", "bad") == "confusion/good as bad"
    assert confused_classes("accuracy") is None


def test_an_area_is_not_computed_over_very_many_classes():
    assert unreported(DataShape(9, 100, 9)) == {}
    assert "120" in unreported(DataShape(9, 120, 9))["val/auc"]
