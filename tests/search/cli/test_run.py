"""What ``run`` and ``resume`` pass on to a driver on the head of a cluster."""

import pytest

from search.cli.run import _on_head, resume, run
from search.spec.resolve import resolve


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (run, "--time-budget 90.0"),
        (resume, "--trials 9 --time-budget 90.0 --data /whole/path.csv --set a.b=1 --set c.d=2"),
    ],
)
def test_a_driver_on_the_head_is_given_what_is_not_in_the_study(
    harness, tables, monkeypatch, command, expected
):
    given = ["small", "--trials", "9", "--time-budget", "90", "--cluster", "hosts.toml"]
    given += ["--data", "path.csv", "--set", "a.b=1", "--set", "c.d=2", "--results-dir", "r"]
    tables["data"]["source"] = "/whole/path.csv"
    passed = list[list[str]]()

    def drive(verb, spec, options, cluster, folder, resume) -> int:
        passed.append(options)
        return 0

    monkeypatch.setattr("search.driver.on_head.drive_on_head", drive)
    with command.make_context(command.name, given), pytest.raises(SystemExit):
        _on_head(command.name, resolve(tables, "x"), None, harness.folder, "hosts.toml")
    assert [" ".join(options) for options in passed] == [expected]
