"""All checks of one implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zotheory.arguments import flat, function, whole
from zotheory.checking.lineup import subject_of
from zotheory.checking.result import Check, CheckError, Failed, NotApplicable, Report, Result
from zotheory.checking.subject import Subject, alone, raised
from zotheory.checking.suite import checks


def check(
    target: Any,
    *,
    only: str | Sequence[str] = (),
    card: str | float | None = None,
    lr: float = 1e-2,
    seed: int = 0,
    model: str | None = None,
    tell: Callable[[str], None] = lambda name: None,
) -> Report:
    """Check whether an implementation of a zeroth-order method does what its formula says.

    Args:
        target: `factory(params, lr=...)`, or `factory(model, lr=...)` if its first parameter is
            called model, module or net; `seed=` is given if it takes one. It returns an object with
            `step(closure)` (torch's convention) or with `estimate(closure)`. Or the name of a
            recipe, "package.module:factory", "file.py:factory".
        only: names of checks; all by default.
        card: what estimates it claims to make: a recipe's name ("mezo"), whose exact mean,
            variance and E cos² they must have, or the scale of their mean; 1 by default.
        lr: a learning rate at which it makes sensible steps.
        seed: of all that is drawn; the report depends on it alone.
        model: a causal language model, by name or path, in place of the small one.
        tell: called with the name of each check before it is made.

    Raises:
        CheckError: an argument is unfit, or the target is nothing that steps; the message says why.
    """
    seed, tell = whole("seed", seed, 0, CheckError), function("tell", tell, CheckError)
    subject = subject_of(target, seed=seed, card=card, lr=lr)
    if model is not None and model != "none":
        from zotheory.checking.real import real_scenes

        subject.made_scene = real_scenes(model)
        subject.known.clear()
    found = []
    for one in checks(tuple(flat(only)) if only else ()):
        tell(one.name)
        found.append(made(one, subject))
    return Report(subject.name, tuple(found))


def made(one: Check, subject: Subject) -> Result:
    """Make one check. Whatever the implementation raises is a failure of the check."""
    with alone():
        try:
            passed = one.make(subject)
        except NotApplicable as why:
            return Result(one.name, one.group, one.why, "not applicable", str(why), {})
        except Failed as failed:
            return Result(one.name, one.group, one.why, "failed", str(failed), failed.numbers)
        except CheckError:
            raise
        except Exception as error:
            return Result(one.name, one.group, one.why, "failed", f"raised {_where(error)}", {})
    return Result(one.name, one.group, one.why, "passed", passed.told, passed.numbers)


def _where(error: Exception) -> str:
    """ "TypeError: message (file.py:12)": the last line outside of this package and PyTorch."""
    import traceback
    from pathlib import Path

    frames = traceback.extract_tb(error.__traceback__)
    others = [
        f for f in frames if "/zotheory/checking/" not in f.filename and "/torch/" not in f.filename
    ]
    place = f" ({Path(others[-1].filename).name}:{others[-1].lineno})" if others else ""
    return raised(error) + place
