"""HParams as a person sees it: TensorBoard's page in a real browser (Debian's chromium)."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from search.monitor.tensorboard import TensorBoardWriter
from tests.study_harness import StudyHarness
from trainables.attempts.messages import Assignment

webdriver = pytest.importorskip("selenium.webdriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("chromedriver"), reason="no chromium-driver here"),
]

#: Trials of a large study.
LARGE = 1000

#: Collects the text of a page, also within the shadow roots that TensorBoard is made of.
TEXT = """
const found = [];
const walk = (node) => {
  const text = node.nodeType === Node.TEXT_NODE ? node.textContent.trim() : "";
  if (text) found.push(text);
  if (node.shadowRoot) walk(node.shadowRoot);
  for (const child of node.childNodes) walk(child);
};
walk(document.body);
return found;
"""


@pytest.fixture
def page() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--window-size=2400,1400"):
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def study(tmp_path: Path, tables: dict[str, Any]) -> StudyHarness:
    tables["stopping"] |= {"max_epochs": 3, "grace_epochs": 3}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=13)
    board = TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix, 100)
    harness.study.follow(board)
    for number in range(12):
        work = harness.begin()
        for epoch, value in enumerate((0.5, 0.6 + number / 100, 0.55), start=1):
            harness.report(work, epoch, value)
    harness.report(harness.begin(), 1, 0.9)
    board.close()
    return harness


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def address(study: StudyHarness) -> Iterator[str]:
    yield from board_of(study)


def board_of(study: StudyHarness) -> Generator[str, None, None]:
    """Serve a study's board, until the generator is closed."""
    port = free_port()
    command = [sys.executable, "-m", "search", "board", "small", "--port", str(port)]
    results = study.folder.root.parent
    process = subprocess.Popen([*command, "--results-dir", str(results)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/data/runs").read()
                break
            except OSError:
                assert time.monotonic() < deadline, "TensorBoard did not start"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def texts(page: Any, until: str) -> list[str]:
    deadline = time.monotonic() + 60
    while True:
        found: list[str] = page.execute_script(TEXT)
        if until in found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def test_every_trial_is_a_row_with_its_best_value(page, address, study, tmp_path):
    began = time.monotonic()
    page.get(f"{address}/#hparams")
    found = texts(page, "trial-0012")
    print(f"the table was there after {time.monotonic() - began:.1f} s")
    page.save_screenshot(str(tmp_path / "hparams.png"))
    missing = [f"trial-{n:04d}" for n in range(13) if f"trial-{n:04d}" not in found]
    assert missing == [], found
    assert {"completed", "running", "h"} <= set(found)
    for number in range(12):
        best = f"{0.6 + number / 100:.5f}"
        assert best in found, (best, found)
    columns = ("hidden_size", "log10 learning_rate", "fate", "host", "origin", "study")
    assert set(columns) <= set(found)
    runs = json.loads(urllib.request.urlopen(f"{address}/data/runs").read())
    assert "study" in runs


@pytest.fixture
def large(tmp_path: Path, tables: dict[str, Any]) -> StudyHarness:
    """A study of a thousand trials, of which two in three end after an epoch."""
    tables["stopping"] |= {"max_epochs": 3, "grace_epochs": 1, "reduction_factor": 3}
    tables["search"] |= {"sampler": "random"}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=LARGE)
    board = TensorBoardWriter(harness.folder, harness.study.state, harness.journal.prefix, 100)
    harness.study.follow(board)
    while isinstance(work := harness.study.next(), Assignment):
        epoch = 1
        while harness.report(work, epoch, 0.5 + work.number / 10_000 + epoch / 100):
            epoch += 1
    board.close()
    return harness


def test_a_thousand_trials_stay_usable(page, large, tmp_path):
    boards = board_of(large)
    address = next(boards)
    try:
        began = time.monotonic()
        page.get(f"{address}/#hparams")
        found = texts(page, "trial-0000")
        seconds = time.monotonic() - began
        print(f"the first rows of {LARGE} trials were there after {seconds:.1f} s")
        page.save_screenshot(str(tmp_path / "hparams-large.png"))
        assert "trial-0000" in found and seconds < 60
        runs = json.loads(urllib.request.urlopen(f"{address}/data/runs").read())
        assert len(runs) == LARGE + 1
    finally:
        boards.close()
