"""One step of a proof: does the conclusion hold wherever the premises do?"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.core.relational import Relational

from proofs_check.domain import sides
from proofs_check.inequalities import decide
from proofs_check.results import Proved, Result


def follows(
    premises: Iterable[Relational], conclusion: Relational, domain: Iterable[Relational] = ()
) -> Result:
    """Whether ``conclusion`` holds at every point of ``domain`` at which all ``premises`` hold.

    Premises and domain alike restrict the symbols (and their assumptions do); a step whose
    premises no point satisfies is Undecided, not vacuously proved. An equation as the conclusion
    is decided as two inequalities. SymPy may evaluate a relation while it is being written: build
    conclusions with ``evaluate=False`` where that happens (ValueError otherwise).
    """
    if conclusion in (sp.true, sp.false):
        raise ValueError("SymPy evaluated the conclusion already; build it with evaluate=False")
    conditions = [*premises, *domain]
    if not isinstance(conclusion, sp.Eq):
        lesser, greater, strict = sides(conclusion)
        return decide(lesser, greater, conditions, strict=strict)
    below = decide(conclusion.lhs, conclusion.rhs, conditions)
    above = decide(conclusion.rhs, conclusion.lhs, conditions)
    if isinstance(below, Proved) and isinstance(above, Proved):
        return Proved(below.steps + above.steps, f"<= by {below.route}; >= by {above.route}")
    return above if isinstance(below, Proved) else below
