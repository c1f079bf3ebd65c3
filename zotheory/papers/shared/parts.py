"""Checks that share a formula: a claim on a step and on a table needs two of them."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import sympy as sp

from zotheory.context import Context
from zotheory.evidence.exact import conjuncts
from zotheory.vocabulary import Check, Evidence, Statement, conjunction


def parts(*shares: tuple[Set[sp.Symbol], Check]) -> tuple[Check, ...]:
    """The checks, each on those relations of a conjunction that have no symbols but its own.

    A check raises ValueError for a relation that is in no share: it would go unjudged.
    """

    def share(names: Set[sp.Symbol], check: Check) -> Check:
        def judge(statement: Statement, context: Context) -> Evidence:
            relations = conjuncts(statement.formula)
            for relation in relations:
                if not any(relation.free_symbols <= known for known, _ in shares):
                    raise ValueError(f"no check speaks of all of {relation}")
            own = [r for r in relations if r.free_symbols <= names]
            return check.judge(replace(statement, formula=conjunction(*own)), context)

        return Check(check.kind, judge)

    return tuple(share(names, check) for names, check in shares)
