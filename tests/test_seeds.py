"""What the toolkit computes depends on seeds that it gives, never on an optimiser's own default."""

import ast
from pathlib import Path

import pytest

import estimators
from estimators.zeroth_order import ZerothOrder
from zotheory.run import verify

ROOT = Path(__file__).parent.parent
FILES = [
    path
    for folder in ("zotheory", "figures", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def recipe_called(call: ast.Call) -> bool:
    """Whether a call is `estimators.NAME(...)` or `getattr(estimators, NAME)(...)`."""
    made = call.func
    if isinstance(made, ast.Call) and isinstance(made.func, ast.Name):
        return made.func.id == "getattr" and ast.unparse(made.args[0]) == "estimators"
    where, _, name = ast.unparse(made).rpartition(".")
    return where == "estimators" and getattr(estimators, name).__module__ == "estimators.recipes"


def test_every_recipe_is_called_with_a_seed():
    calls = {
        f"{path.relative_to(ROOT)}:{node.lineno}": node
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and recipe_called(node)
    }
    assert len(calls) > 10
    assert not [place for place, call in calls.items() if "seed" not in ast.unparse(call)]


@pytest.mark.parametrize(
    "claim", ["tezo.table2.lozo", pytest.param("lezo.selection_mean", marks=pytest.mark.slow)]
)
def test_claims_are_judged_where_no_optimiser_has_a_default_seed(claim, monkeypatch):
    init = ZerothOrder.__init__

    def strict(self, *args, **options):
        assert "seed" in options, "no seed"
        init(self, *args, **options)

    monkeypatch.setattr(ZerothOrder, "__init__", strict)
    (entry,) = verify(claim, budget="quick", model=None).claims
    assert not entry.failed
    assert entry.verdict.judged
