"""What ends a search early, whenever it comes."""

import _thread
import os
import signal
import threading
import time

import pytest

from search.driver import signals
from search.driver.signals import Halt, Interrupter
from search.journal.holder import Driver


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Nothing ends the process of the tests."""
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 3600.0)


def wait(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_before_the_search_begins_a_signal_is_raised_where_it_comes():
    interrupter = Interrupter()
    with pytest.raises(Halt, match="terminated") as raised, interrupter.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert raised.value.exit_code == 143


def test_a_halt_that_python_makes_another_error_of_is_itself_again():
    """Python turns whatever ``__set_name__`` raises into a RuntimeError."""

    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            time.sleep(5)

    with pytest.raises(Halt, match="time budget spent"), Interrupter(0.2).listening():
        type("Owner", (), {"field": Field()})


def test_an_error_of_its_own_stays_what_it_is():
    with pytest.raises(RuntimeError, match="mine"), Interrupter().listening():
        raise RuntimeError("mine")


def test_once_the_search_asks_a_signal_waits_for_the_next_step():
    interrupter = Interrupter()
    with interrupter.listening():
        interrupter.check()
        os.kill(os.getpid(), signal.SIGINT)
        wait(lambda: interrupter._signalled)
        with pytest.raises(Halt, match="interrupted"):
            interrupter.check()


@pytest.mark.lengthy
def test_asked_to_stop_from_a_thread():
    interrupter = Interrupter()
    with pytest.raises(Halt, match="terminated"), interrupter.listening():
        threading.Thread(target=interrupter.asked_to_stop).start()
        time.sleep(5)


def test_a_program_around_the_search_is_asked_too(monkeypatch):
    interrupter = Interrupter()
    interrupter.check()
    interrupter.asked_to_stop()
    with pytest.raises(Halt, match="terminated"):
        interrupter.check()
    # Where the tests run in the background, a shell has them ignore Ctrl-C.
    asked: list[int] = []
    monkeypatch.setattr(_thread, "interrupt_main", asked.append)
    Interrupter().asked_to_stop()
    assert asked == [signal.SIGINT]


def test_a_study_taken_over_ends_its_driver_with_the_new_one_named():
    interrupter = Interrupter()
    interrupter.check()
    interrupter.taken_over(Driver(12, "b"))
    with pytest.raises(Halt, match="process 12 on b has taken the study over") as raised:
        interrupter.check()
    assert raised.value.exit_code == 1


def test_who_does_not_leave_in_time_is_ended(monkeypatch):
    ended = list[int]()
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(os, "_exit", ended.append)
    interrupter = Interrupter()
    with interrupter.listening():
        interrupter.check()
        interrupter.asked_to_stop()
        wait(lambda: ended)
    assert ended == [143]
