"""Checks that share a formula see their relations, all of them, and leave none out."""

import pytest
import sympy as sp

from zotheory.papers.shared.parts import parts
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict

X, Y, Z = sp.symbols("x y z")


def watching(seen, kind):
    def judge(statement, context):
        seen.append(statement.formula)
        return Evidence(kind, Verdict.CONFIRMED, "seen")

    return Check(kind, judge)


def test_each_sees_the_relations_in_its_own_symbols():
    seen = []
    checks = parts(({X, Y}, watching(seen, Kind.COUNTED)), ({Y, Z}, watching(seen, Kind.PRINTED)))
    statement = Statement("all", sp.And(X < Y, Y < Z, sp.Eq(X, 1)))
    found = [check.judge(statement, None).kind for check in checks]
    assert found == [check.kind for check in checks] == [Kind.COUNTED, Kind.PRINTED]
    assert seen == [sp.And(X < Y, sp.Eq(X, 1)), Y < Z]


def test_a_relation_between_the_shares_is_refused():
    seen = []
    checks = parts(({X}, watching(seen, Kind.COUNTED)), ({Z}, watching(seen, Kind.PRINTED)))
    for check in checks:
        with pytest.raises(ValueError, match="no check speaks of all of x < z"):
            check.judge(Statement("mixed", sp.And(X > 0, X < Z, Z > 0)), None)
    assert not seen
