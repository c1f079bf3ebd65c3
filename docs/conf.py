"""How Sphinx makes the site; `docs/build.py` writes the generated sources beside the others."""

import importlib.metadata
import re
from itertools import pairwise
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

project = "zotheory"
author = "The zotheory developers"
copyright = "the zotheory developers"
release = importlib.metadata.version("zotheory")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
myst_enable_extensions = ["colon_fence", "attrs_inline", "dollarmath"]
html_math_renderer = "mathml"  # below; a script for formulas would come from the network
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are shown as they were run
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]
suppress_warnings += ["ref.python"]  # a claim has a Check, and so has a report: another one

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
autodoc_member_order = "bysource"
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature has them
smartquotes = False

html_theme = "pydata_sphinx_theme"
html_title = "zotheory"
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_static_path = ["_static"]
html_css_files = ["claims.css", "site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}
_ALONE = sorted(path.stem for path in Path(__file__).parent.glob("*.md"))
html_sidebars = {page: [] for page in (*_ALONE, "claims/**", "notebooks/**")}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

ARGUMENT = re.compile(r"([a-z_]+(?:, [a-z_]+)*):(?: |$)(.*)")


def escaped(app, what, name, obj, options, lines):
    """Docstrings are plain text with `names`: what reStructuredText would read more into stays.

    What an example prints, up to the next empty line, stays as it is.
    """
    example = False
    for place, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            pieces = re.split(r"(``.*?``|`[^`]*`)", line)
            pieces[::2] = [re.sub(r"([*|]|_(?=\W|$))", r"\\\1", piece) for piece in pieces[::2]]
            lines[place] = "".join(pieces)


def listed(app, what, name, obj, options, lines):
    """Lines "name: text" of arguments become a list of fields, which ends where the indent does.

    Unless one goes on without an indent: there "name: text" is how a sentence begins.
    """
    if any(
        ARGUMENT.match(a) and b and not b[0].isspace() and not ARGUMENT.match(b)
        for a, b in pairwise(lines)
    ):
        return
    found, inside = [], False
    for line in lines:
        argument = ARGUMENT.match(line)
        if argument:
            found += [] if inside else [""]
            kind = "" if "," in argument[1] else "param "
            found.append(f":{kind}{argument[1]}: {argument[2]}")
        elif inside and line and not line[0].isspace():
            found += ["", line]
        else:
            found.append(line)
        inside = bool(argument) or (inside and (not line or line[0].isspace()))
    lines[:] = found


def readable(app, what, name, obj, options, signature, returned):
    """Defaults that are made anew are no Python as they are printed, so that nothing is parsed."""
    return signature and signature.replace("<factory>", "..."), returned


def formula(writer, node, as_block=False):
    """A formula as MathML, which browsers draw themselves."""
    writer.body.append(tex2mathml(node.astext(), as_block=as_block))
    raise nodes.SkipNode


def displayed(writer, node):
    """A formula on a line of its own."""
    formula(writer, node, as_block=True)


def setup(app):
    app.add_html_math_renderer("mathml", (formula, None), (displayed, None))
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-process-docstring", listed, priority=400)
    app.connect("autodoc-process-docstring", escaped, priority=900)
