"""Check the field's optimisers, and write what was found to docs/audit.md.

    python -m venv audit && audit/bin/pip install . torchzero mezo torcheggroll
    audit/bin/python -m benchmarks.audit [PROCESSES]

Packages of PyPI are checked where they are installed; the file names their versions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from benchmarks.audit.packages import packaged
from benchmarks.audit.released import RELEASED
from zotheory.checking import Report, check
from zotheory.checking.suite import checks

OUT = Path("docs/audit.md")
MARKS = {"passed": "✓", "failed": "**✗**", "not applicable": "·"}

HEAD = """# What the field's optimisers do, from the outside

Made by `python -m benchmarks.audit`: `zotheory check` on optimisers of packages on PyPI, called as
their documentation calls them, and on minimal optimisers that do, at the places in question, what
released trainers do (`benchmarks/audit/released.py`; no line is copied, and a trainer's own fault
elsewhere is not seen). ✓ passed, **✗** failed, · not applicable. `zotheory check --list` says of
each check why it matters; not all matter to everybody. What contradicts a trainer's paper is judged
as a claim: `zotheory list prior.code`.
"""


def main() -> None:
    """Check all, in as many processes as the command line says, and write the table."""
    told = {f"{name} (released)": make.__doc__ for name, (make, _) in RELEASED.items()}
    checked: dict[str, tuple[Any, Any]] = {"mezo (ours)": ("mezo", None)}
    checked |= {f"{name} (released)": found for name, found in RELEASED.items()}
    for name, (factory, card, package) in packaged().items():
        checked[name], told[name] = (factory, card), package
    jobs = int(sys.argv[1]) if sys.argv[1:] else 1
    found = Parallel(jobs)(delayed(check)(f, card=card) for f, card in checked.values())
    reports = dict(zip(checked, found, strict=True))
    OUT.write_text(page(reports, told), "utf-8")
    print(f"written to {OUT}: " + ", ".join(f"{n} {len(r.failed)}" for n, r in reports.items()))


def page(reports: dict[str, Report], sources: dict[str, str]) -> str:
    """The table, who was checked, and every failure with its numbers."""
    names = list(reports)
    lines = [HEAD, "| check | " + " | ".join(names) + " |"]
    lines.append("| --- |" + " :-: |" * len(names))
    for one in checks():
        row = [MARKS[reports[name][one.name].status] for name in names]
        lines.append(f"| `{one.name}` | " + " | ".join(row) + " |")
    totals = [f"{len(r.failed)}" for r in reports.values()]
    lines.append("| failed | " + " | ".join(totals) + " |")
    lines.append("\n## Who was checked\n")
    lines += [f"- **{name}**: {' '.join(told.split())}" for name, told in sources.items()]
    for name, report in reports.items():
        lines.append(f"\n## {name}\n")
        lines += [f"- `{r.check}`: {escaped(r.told)}" for r in report.failed] or ["Nothing failed."]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return (
        json.dumps(text, ensure_ascii=False)[1:-1]
        .replace('\\"', '"')
        .replace("|", "\\|")
        .replace("<", "&lt;")
    )


if __name__ == "__main__":
    main()
