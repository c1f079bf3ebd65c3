"""The templates' environment, and what the page and the tables in a notebook both count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from zotheory.report.description import worded
from zotheory.report.mathml import relations
from zotheory.vocabulary import Verdict

HERE = Path(__file__).parent


def counts(verdicts: Iterable[str]) -> dict[str, int]:
    """How often each verdict occurs, in the order of `Verdict`."""
    found = Counter(verdicts)
    return {verdict.value: found[verdict] for verdict in Verdict}


@cache
def templates() -> jinja2.Environment:
    """The environment: everything escaped, a missing name an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"worded": worded, "relations": relations, "highlighted": _highlighted}
    return environment


def _highlighted(code: str) -> Markup:
    """A program with its words marked for colouring; its text stays what it is."""
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    return Markup(highlight(code, lexer, HtmlFormatter(nowrap=True)))
