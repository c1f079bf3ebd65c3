"""Run the notebooks and keep their outputs: `python -m notebooks.execute [NAME ...]`.

To be done again when a ledger was recorded or a notebook was edited; the tests compare.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from zotheory.papers import ROOMS

HERE = Path(__file__).parent
LIMIT = 300  # seconds for one cell
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(name: str) -> nbformat.NotebookNode:
    """The notebook of a paper as it is kept."""
    return nbformat.read(HERE / f"{name}.ipynb", as_version=4)


def executed(name: str) -> nbformat.NotebookNode:
    """The same after a run from top to bottom, in a fresh kernel. Raises if a cell does."""
    notebook = read(name)
    client = NotebookClient(
        notebook,
        timeout=LIMIT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(HERE)}},
    )
    client.execute(env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore:IProgress"})
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def keep(name: str) -> None:
    """Run the notebook and write it with its outputs."""
    nbformat.write(executed(name), HERE / f"{name}.ipynb")


if __name__ == "__main__":
    for name in sys.argv[1:] or ROOMS:
        keep(name)
