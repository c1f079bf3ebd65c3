"""A theory-verification toolkit for zeroth-order optimisation: claims in, verdicts out.

    >>> import zotheory
    >>> zotheory.verify("tezo.thm1", model=None).frame()

Names are imported when they are first used, so that Monte Carlo workers start fast.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from zotheory.views import register

_NEEDED = (  # what the extra "verify" installs, by the names it is imported under
    *("scipy", "sympy", "mpmath", "z3", "haarpy", "joblib", "cloudpickle", "threadpoolctl"),
    *("transformers", "gguf", "safetensors", "filelock", "accelerate", "pandas", "jinja2"),
    *("markupsafe", "pygments", "matplotlib", "PIL", "seaborn", "typer", "rich"),
)
if _missing := [name for name in _NEEDED if find_spec(name) is None]:
    raise ModuleNotFoundError(
        f"zotheory needs packages that are not installed ({', '.join(_missing)}): "
        "pip install zotheory[verify]"
    )

_HOME = {
    "Check": "vocabulary",
    "Claim": "vocabulary",
    "Evidence": "vocabulary",
    "Kind": "vocabulary",
    "Setting": "vocabulary",
    "Statement": "vocabulary",
    "Verdict": "vocabulary",
    "Context": "context",
    "Ledger": "ledger",
    "Measurement": "evidence.measured",
    "check": "checking",
    "claim": "papers",
    "conjunction": "vocabulary",
    "draw": "evidence.draws",
    "exact": "evidence.exact",
    "mean": "statistics.mean",
    "measured": "evidence.measured",
    "probe": "probing",
    "probe_losses": "probing",
    "probe_model": "probing",
    "recorded": "ledger",
    "searched": "evidence.searched",
    "tables": "papers",
    "verify": "run",
}

__all__ = sorted(_HOME)

register(
    Claim="zotheory.report.notebook:claim_html",
    Entry="zotheory.report.notebook:entry_html",
    Ledger="zotheory.report.notebook:ledger_html",
    Report="zotheory.checking.table:html",
    Table="zotheory.report.notebook:table_html",
)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zotheory' has no attribute {name!r}")
    return getattr(import_module(f"zotheory.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
