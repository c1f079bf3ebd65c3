"""Build the site into out/site: `python -m docs.build` (or `make docs`); no network, no model.

What is written by hand lies beside this file. The pages of claims and papers, the gallery, the
mathematics and the list of the API are made of the recorded ledger, the figures, the cards and the
packages.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from docs.sources import api, falls, gallery, mathematics, tally
from zotheory.evidence.trained import recorded as recorded_rates
from zotheory.ledger import Ledger, recorded
from zotheory.papers import ROOMS
from zotheory.report.export import write_export
from zotheory.report.page import Drawn, read_pictures, write_page
from zotheory.report.site import style, write_sources
from zotheory.training.rates import markdown

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out"


def gather(ledger: Ledger, folder: Path, drawn: Path) -> None:
    """Write all sources into `folder`: those by hand, and those that are made."""
    here = Path(__file__).parent
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(here, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    _copy(here / "conf.py", folder / "conf.py")
    _copy(ROOT / "CHANGELOG.md", folder / "generated" / "changelog.md")
    _copy(ROOT / "examples", folder / "examples")
    _copy(ROOT / "figures", folder / "scripts")
    for room in ROOMS:
        _copy(ROOT / "notebooks" / f"{room}.ipynb", folder / "notebooks" / f"{room}.ipynb")
    shown = read_pictures(drawn)
    (folder / "figures").mkdir()
    for picture in shown:
        _copy(drawn / f"{picture.name}.png", folder / "figures" / f"{picture.name}.png")
    write_sources(ledger, folder, shown)
    for path, text in (
        ("generated/tally.md", tally(ledger)),
        ("generated/falls.md", falls()),
        ("generated/rates.md", markdown(recorded_rates())),
        ("gallery.md", gallery(shown)),
        ("mathematics.md", mathematics()),
        *((f"api/{name}.md", text) for name, text in api().items()),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "_static" / "claims.css").write_text(style(), encoding="utf-8")


def build(sources: Path, site: Path) -> int:
    """Run Sphinx; its exit status. A warning is an error."""
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "dirhtml", "-j", "2"]
    command += ["-W", "--keep-going"]
    return subprocess.run([*command, str(sources), str(site)], cwd=ROOT, check=False).returncode


def finish(ledger: Ledger, site: Path, shown: Sequence[Drawn]) -> None:
    """Put what is no page of Sphinx's beside the others: the whole ledger, `claims.json`."""
    write_page(ledger, site / "ledger.html", shown)
    write_export(ledger, site / "claims.json")


def main() -> int:
    """Gather, build and finish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--figures", type=Path, default=OUT / "figures", help="as drawn by `zotheory figures`"
    )
    parser.add_argument("--out", type=Path, default=OUT / "site")
    asked = parser.parse_args()
    ledger = recorded()
    sources = OUT / "site-sources" / "docs"
    gather(ledger, sources, asked.figures)
    shutil.rmtree(asked.out, ignore_errors=True)
    status = build(sources, asked.out)
    if status == 0:
        finish(ledger, asked.out, read_pictures(asked.figures))
        print(f"{asked.out}: read it with `python -m http.server --directory {asked.out}`")
    return status


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    sys.exit(main())
