"""Who stands for a study, where it has gone on or was changed since that was decided, and what is
on record of it; nothing is trained."""

import json
from dataclasses import dataclass

import pytest

from search.driver.plan import Options, changed_study
from search.driver.signals import Interrupter
from search.errors import SpecError
from search.final import finalize as whole
from search.final.finalize import Request, finalize
from search.final.openings import Openings
from tests.search.policy.searches import hill, search
from tests.study_harness import StudyHarness, changed
from trainables.errors import DataError
from trainables.storage import Cache


class Trained(Exception):
    """Raised where the candidates would be trained."""


@dataclass
class Texts:
    sizes = {"test": 40}


@pytest.fixture
def study(tmp_path, tables, monkeypatch):
    """A study that was searched, and a finalize that is left when it begins to train."""

    class Stages:
        def __init__(self, *given) -> None:
            pass

        def check_data(self, cache) -> None:
            pass

        def ranking(self, everyone, seeds):
            raise Trained(everyone)

    monkeypatch.setattr(whole, "study_corpus", lambda state, cache: Texts())
    monkeypatch.setattr(whole, "Stages", Stages)
    tables["search"] |= {"trials": 8, "sampler": "random"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=8)
    search(harness, hill())
    return harness


def end(harness: StudyHarness, force: bool = False, explain: bool = False) -> None:
    state, request = harness.study.state, Request(2, 2, explain, force, Options(), ("--top", "2"))
    finalize(harness.folder, state, request, Cache(harness.folder.root), Interrupter())


def go_on(harness: StudyHarness, better: float) -> None:
    harness.crash_and_reopen(total=16)
    search(harness, lambda params, number, epoch: hill()(params, number, epoch) + better)


def result(harness: StudyHarness, chosen: str) -> None:
    record = Openings(harness.folder.openings)
    record.open("finalize", True, chosen)
    record.close({})


def test_a_study_that_found_better_is_not_finalised_with_the_old(study):
    with pytest.raises(Trained):
        end(study)
    assert study.folder.final_options.read_text() == "--top 2\n"
    go_on(study, better=0.1)
    with pytest.raises(SpecError, match=r"when 8 trials had ended \(16 have now\).*remove .*final"):
        end(study)
    (study.folder.final / "lineup.json").unlink()
    with pytest.raises(Trained) as trained:
        end(study)
    assert min(one.trial for one in trained.value.args[0][:2]) >= 8


def test_nor_under_force_which_keeps_what_is_on_record(study):
    with pytest.raises(Trained):
        end(study)
    result(study, chosen="those")
    go_on(study, better=0.1)
    with pytest.raises(SpecError, match=r"or keep to the figure of .*final\.json"):
        end(study, force=True)
    (study.folder.final / "lineup.json").unlink()
    with pytest.raises(SpecError, match="no longer in"):
        end(study, explain=True)
    with pytest.raises(Trained):
        end(study, force=True)
    assert Openings(study.folder.openings).count == 1


def test_a_study_that_would_choose_the_same_again_goes_on(study):
    study.study.state.outlook = None
    with pytest.raises(Trained):
        end(study)
    go_on(study, better=-0.5)
    study.study.state.outlook = None  # who leads may differ with what is known by now
    with pytest.raises(Trained):
        end(study)


def test_an_opening_that_was_made_for_the_old_is_finished_for_them(study):
    with pytest.raises(Trained):
        end(study)
    text = (study.folder.final / "lineup.json").read_text()
    chosen = whole.Lineup.model_validate_json(text).digest
    Openings(study.folder.openings).open("finalize", False, chosen)
    go_on(study, better=0.1)
    with pytest.raises(Trained) as trained:
        end(study)
    assert max(one.trial for one in trained.value.args[0]) < 8


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("metric=val/loss", "mode=min"), "another metric and mode"),
        (("data.max_tokens=8",), r"another data\.max_tokens"),
        (("data.keep=start",), r"another data\.keep"),
        (("stopping.max_epochs=9",), "another max_epochs"),
    ],
)
@pytest.mark.parametrize("judged", [False, True])
def test_a_study_that_was_changed_by_force_is_not_finalised_as_before(
    study, settings, said, judged
):
    with pytest.raises(Trained):
        end(study)
    if judged:
        text = (study.folder.final / "lineup.json").read_text()
        result(study, whole.Lineup.model_validate_json(text).digest)
    state = study.study.state
    spec, _ = changed_study(state, Options(settings=settings), force=True)
    state.apply(changed(spec, data=state.data))
    with pytest.raises(SpecError, match=f"was changed after its finalize began: {said}"):
        end(study, force=judged)
    if judged:
        with pytest.raises(SpecError, match=said):
            end(study, explain=True)


def test_a_lineup_of_before_terms_were_written_down_is_gone_on_with(study):
    with pytest.raises(Trained):
        end(study)
    path = study.folder.final / "lineup.json"
    old = json.loads(path.read_text())
    assert old.pop("terms")["metric"] == "val/accuracy"
    path.write_text(json.dumps(old))
    with pytest.raises(Trained):
        end(study)


def test_a_refusal_leaves_no_lineup(study):
    result(study, chosen="others")
    with pytest.raises(SpecError, match="no longer in"):
        end(study, explain=True)
    assert not study.folder.final.exists()


@pytest.fixture
def trained(study, monkeypatch):
    """The same study, whose finalists are trained at once."""
    monkeypatch.setattr("search.final.finalize.Stages.ranking", lambda *given: None)
    monkeypatch.setattr("search.final.finalize.Stages.finalists", lambda *given: [], raising=False)
    monkeypatch.setattr(whole, "load_contenders", lambda *given: [])
    return study


def test_what_can_fail_without_the_test_part_fails_while_it_is_closed(trained, monkeypatch):
    def load(*given):
        raise DataError("a stray file")

    monkeypatch.setattr(whole, "load_contenders", load)
    with pytest.raises(DataError):
        end(trained)
    assert not trained.folder.openings.exists()


def test_whoever_stops_a_forced_opening_is_not_told_to_force_another(trained, monkeypatch):
    result(trained, chosen="others")

    def judge(*given):
        raise Trained(trained.folder.final_options.read_text())

    monkeypatch.setattr(whole, "judge", judge)
    request = Request(2, 2, False, True, Options(), ("--top", "2", "--force"))
    with pytest.raises(Trained) as judging:
        state = trained.study.state
        finalize(trained.folder, state, request, Cache(trained.folder.root), Interrupter())
    assert judging.value.args == ("--top 2\n",)
    assert Openings(trained.folder.openings).unfinished


def test_the_traceback_of_what_nobody_expected_is_in_the_log(trained, monkeypatch):
    def judge(*given):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(whole, "judge", judge)
    with pytest.raises(ZeroDivisionError):
        end(trained)
    log = trained.folder.driver_log.read_text()
    assert "Traceback" in log and "ZeroDivisionError: of ours" in log
