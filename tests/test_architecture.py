"""The import rules of the house, and the modules that stay out of light commands."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("package", ["search", "trainables", "cluster"])
def test_nothing_is_unpickled(package):
    """What else may import what is in pyproject.toml, for import-linter."""
    for path in (ROOT / package).rglob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"pickle", "cloudpickle", "dill", "joblib"}, path


def test_the_import_rules_are_kept():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


#: What a command that only reads does without.
HEAVY = {"ray", "torch", "optuna", "numpy", "tokenizers", "trainables.tasks.registry"}


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import search.cli.main", {"ray", "torch", "optuna", "pydantic", "rich", "numpy"}),
        ("import search.cli.read, search.report.rows, search.report.markdown", HEAVY),
        ("import search.journal.load, trainables.attempts.messages", HEAVY),
        ("import search.driver.ray_tune, search.driver.session", {"torch", "scipy.stats"}),
    ],
)
def test_heavy_imports_stay_out(statement, absent):
    assert not absent & loaded_after(statement)


def test_packages_are_this_checkouts():
    import cluster
    import search
    import trainables

    for package in (search, trainables, cluster):
        assert Path(package.__path__[0]).parent == ROOT
