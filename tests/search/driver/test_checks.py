"""What is refused before anything starts."""

from search.driver import checks
from search.driver.checks import kernel_notes
from search.spec.resolve import resolve


def test_a_machine_without_a_compiler_is_told(tables, monkeypatch):
    spec = resolve(tables, "x")
    assert kernel_notes(spec) == []
    monkeypatch.setattr(checks, "compiled", lambda source: None)
    (note,) = kernel_notes(spec)
    assert "C++ compiler" in note
    assert kernel_notes(resolve(tables | {"resources": {"gpus_per_trial": 1}}, "x")) == []
