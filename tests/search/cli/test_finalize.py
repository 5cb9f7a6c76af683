"""What ``finalize`` and ``stop`` say of how a finalize goes on; nothing is trained."""

from collections.abc import Callable

import pytest

from search.driver.signals import Halt
from search.final import finalize as whole
from search.final.openings import Openings
from search.journal.holder import Driver
from tests.cli_sandbox import invoke as run
from tests.study_harness import session

TYPED = "finalize small --top 2 --seeds 3 --max-concurrent 1 --cluster 127.0.0.1:6379"


@pytest.fixture
def halted(finished, monkeypatch):
    """A finalize that is interrupted after an hour, and what is done before."""
    before = list[Callable[[], None]]()

    def carry_to_its_end(*given):
        for act in before:
            act()
        raise Halt("interrupted", 130)

    monkeypatch.setattr(whole, "finalize", carry_to_its_end)
    finished.journal.close()
    return before


def test_an_interruption_names_the_command_with_all_its_options(halted, finished):
    given = ["--gpus-per-trial", "0.5", "--force", "--time-budget", "1h"]
    result = run(*TYPED.split(), *given)
    assert result.exit_code == 130
    assert "interrupted; go on with: seqtune finalize small --top 2 --seeds 3 --force" in (
        result.stderr
    )
    for option in ("--max-concurrent 1", "--gpus-per-trial 0.5", "--cluster 127.0.0.1:6379"):
        assert option in result.stderr
    assert "--time-budget" not in result.stderr and "before the search" not in result.stderr


@pytest.mark.parametrize("finished_before", [True, False])
def test_an_opening_that_was_insisted_on_is_not_insisted_on_again(
    halted, finished, finished_before
):
    record = Openings(finished.folder.openings)
    record.open("finalize", False, "a")
    if finished_before:
        record.close({})
        halted.append(lambda: record.open("finalize", True, "a"))
    else:
        halted.append(lambda: record.close({}))
    assert "go on with: seqtune finalize small\n" in run("finalize", "small", "--force").stderr


@pytest.mark.parametrize("at", ["search", "search again", "judging"])
def test_stop_names_what_goes_on(finished, monkeypatch, at):
    folder, driver = finished.folder, Driver.this()
    if at == "search again":
        finished.study._record(
            session().model_copy(update={"pid": driver.pid, "host": driver.host})
        )
    finished.journal.close()
    folder.final.mkdir()
    folder.final_options.write_text("--top 2\n")
    if at != "search":
        Openings(folder.openings).open("finalize", False, "a")
    monkeypatch.setattr("search.driver.signals.ask_to_stop", lambda folder: None)
    with folder.locked():
        said = run("stop", "small").stderr
    resumed, gone_on = "resume with: seqtune resume small", "go on with: seqtune finalize small"
    assert said == f"small has stopped; {f'{gone_on} --top 2' if at == 'judging' else resumed}\n"


def test_stop_while_candidates_train(finished, monkeypatch, tmp_path, tables):
    finished.journal.close()
    folder = finished.folder
    inner = type(folder)(folder.final / "contest")
    inner.root.mkdir(parents=True)
    inner.journal.write_bytes(folder.journal.read_bytes())
    folder.final_options.write_text("--cluster 'my hosts.toml'\n")
    monkeypatch.setattr("search.driver.signals.ask_to_stop", lambda folder: None)
    with folder.locked(), inner.locked():
        said = run("stop", "small", "--results-dir", str(tmp_path / "results")).stderr
    command = f"finalize small --results-dir {tmp_path / 'results'} --cluster 'my hosts.toml'"
    assert f"go on with: seqtune {command}\n" in said
