"""Does an implementation of a zeroth-order method do what its formula says? From the outside alone.

>>> import zotheory
>>> zotheory.check("mezo", only="losses_are_counted")
<Report on mezo: 1 passed, 0 failed, 0 not applicable>

Names are imported when they are first used: a process that resumes a run starts fast.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "Check": "result",
    "CheckError": "result",
    "Report": "result",
    "Result": "result",
    "check": "run",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zotheory.checking' has no attribute {name!r}")
    return getattr(import_module(f"zotheory.checking.{_HOME[name]}"), name)
