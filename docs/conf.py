"""How Sphinx makes the site; `docs/build.py` writes the generated sources beside the others."""

import importlib.metadata
import re

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
myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are shown as they were run
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
smartquotes = False

html_theme = "pydata_sphinx_theme"
html_title = "zotheory"
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
_ALONE = ("index", "start", "which", "troubles", "found", "gallery", "mathematics", "contribute")
_ALONE += ("step", "check", "audit", "noise", "changes", "whole", "use", "methods", "runs")
html_sidebars = {page: [] for page in (*_ALONE, "claims/**", "notebooks/**")}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def escaped(app, what, name, obj, options, lines):
    """Docstrings are plain text with `names`: what reStructuredText would read more into stays."""
    for place, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            pieces = line.split("`")
            pieces[::2] = [re.sub(r"([*|]|_(?=\W|$))", r"\\\1", piece) for piece in pieces[::2]]
            lines[place] = "`".join(pieces)


def listed(app, what, name, obj, options, lines):
    """Lines "name: text" of arguments become a list of fields, which ends where the indent does."""
    found, inside = [], False
    for line in lines:
        argument = re.match(r"([a-z_]+(?:, [a-z_]+)*):(?: |$)(.*)", line)
        if argument:
            found += [] if inside else [""]
            found.append(f":{argument[1]}: {argument[2]}")
        elif inside and line and not line[0].isspace():
            found += ["", line]
        else:
            found.append(line)
        inside = bool(argument) or (inside and (not line or line[0].isspace()))
    lines[:] = found


def setup(app):
    app.connect("autodoc-process-docstring", listed, priority=400)
    app.connect("autodoc-process-docstring", escaped, priority=900)
