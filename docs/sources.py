"""The pages that are made of the packages: gallery, mathematics, API, the tally of verdicts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from importlib import import_module
from types import ModuleType

import sympy as sp

import estimators
import zotheory
from estimators import philox
from estimators.zeroth_order import ZerothOrder
from proofs_check.cards import NAMES, PERTURBATIONS, Card, card
from proofs_check.falls import (
    COLUMNS,
    DIAGONAL,
    EPS,
    FALLS,
    FORM,
    NORM2,
    ROWS,
    SWAPPED,
    TRACE,
    averaged,
)
from zotheory.ledger import Ledger
from zotheory.report.page import Drawn, counts
from zotheory.report.site import plain, tally_html

AXES = ("perturbations", "directions", "updates")
CARDS = {  # the ways a practitioner meets them; other sizes and inner cards: `proofs_check.card`
    "Perturbations, one two-sided difference": tuple(PERTURBATIONS),
    "Directions, round Gaussian draws": tuple(n for n in NAMES if n not in PERTURBATIONS),
}


def tally(ledger: Ledger) -> str:
    """How many claims have each verdict, and how many say nothing of their paper's setting."""
    found = counts(entry.verdict for entry in ledger.claims)
    elsewhere = sum(entry.elsewhere for entry in ledger.claims)
    return (
        f"```{{raw}} html\n<p class='judged'>{tally_html(found)}</p>\n```\n\n"
        f"{len(ledger.claims)} claims, each judged by checks that could have said the opposite;"
        f" {elsewhere} of them could be judged only in another setting than the paper's, and say"
        " so.\n"
    )


def gallery(pictures: Sequence[Drawn]) -> str:
    """Every figure with its caption and the script that draws it, notebooks and examples."""
    lines = ["# Gallery", "", "## Notebooks", ""]
    lines += ["One short story a room, in numbers that you can change.", ""]
    lines += ["```{toctree}", ":maxdepth: 1", ":glob:", "", "notebooks/*", "```", ""]
    lines += ["## Examples", "", "Each is run by the tests.", ""]
    for name, title in EXAMPLES.items():
        lines += [f"### {title}", "", f":::{{dropdown}} `examples/{name}`"]
        lines += [f"```{{literalinclude}} examples/{name}", "```", ":::", ""]
    lines += ["## Figures", "", "`zotheory figures NAME` draws one again from the ledger.", ""]
    for picture in pictures:
        claims = [lead + rest for lead, rest in picture.led if lead in picture.verdicts]
        shown = picture.paragraphs[: picture.paragraphs.index(claims[0]) if claims else -1]
        lines += [f"### {plain(picture.title)}", ""]
        lines += [f"```{{image}} /figures/{picture.name}.png", f":alt: {picture.title}"]
        lines += [":width: 34rem", "```", ""]
        lines += [line for text in shown for line in (str(plain(text)), "")]
        if claims:
            lines += [":::{dropdown} Its claims", *(f"- {plain(text)}" for text in claims), ":::"]
        lines += [f":::{{dropdown}} Its script, `figures/{picture.name}.py`"]
        lines += [f"```{{literalinclude}} scripts/{picture.name}.py", "```", ":::", ""]
    return "\n".join(lines)


EXAMPLES = {
    "my_claims.py": "A claim of your own",
    "my_paper/claims.py": "A paper of your own",
    "my_estimator.py": "An estimator of your own, to be probed",
    "test_my_optimizer.py": "An optimiser of your own, checked by pytest",
    "train_plain.py": "A network trained without a backward pass",
    "train_trainer.py": "A language model by the Trainer of transformers",
    "train_lora.py": "Adapters of PEFT",
    "train_data_parallel.py": "Several processes, data parallel",
    "train_reward.py": "A reward of generated text",
}


def mathematics() -> str:
    """The cards of all estimators: mean, variance and squared cosine of one estimate, with proofs.

    All on a linear loss with gradient G (m x n), which is what the loss is along one short step.
    """
    lines = [
        "# The mathematics",
        "",
        "What one estimate g of the gradient G of a linear loss is, exactly, for a weight of m rows"
        " and n columns: its mean, its relative variance E‖g/s − T‖²/‖T‖² about that mean's target"
        " T, and E cos²(G, g). Every line is derived by `proofs_check`, and the tests compare it"
        " with what the recipes' own code returns.",
        "",
    ]
    for heading, names in CARDS.items():
        lines += [
            f"## {heading}",
            "",
            "```{raw} html",
            *_table({name: card(name) for name in names}),
            "```",
            "",
        ]
        for name in names:
            lines += [f":::{{dropdown}} {name}: assumptions and derivation"]
            lines += _proof(card(name))
            lines += [":::", ""]
    return "\n".join(lines)


def falls() -> str:
    """What a forward pass buys where no direction is curved much more than the average one.

    By `proofs_check.falls`, for Tr H far above g^T H g/||g||^2 and its partial traces, eps -> 0.
    """
    small = dict.fromkeys((FORM, DIAGONAL, ROWS, COLUMNS, SWAPPED, EPS), 0)
    mezo = FALLS["gaussian"]().fall_per_pass.subs({**small, NORM2: 1, TRACE: 1})
    lines = ["| estimate | forward passes | fall per pass, MeZO = 1 |", "| --- | ---: | ---: |"]
    for name, found in PER_PASS.items():
        bought = found().fall_per_pass.subs({**small, NORM2: 1, TRACE: 1}) / mezo
        lines.append(f"| {name} | {found().passes} | {float(bought):.2f} |")
    return "\n".join(lines) + "\n"


PER_PASS = {
    "MeZO": FALLS["gaussian"],
    "random signs": FALLS["rademacher"],
    "LOZO, any rank": FALLS["low_rank"],
    "TeZO, rank 8, factors drawn anew": partial(FALLS["cp"], r=8),
    "TeZO, rank 64, factors drawn anew": partial(FALLS["cp"], r=64),
    "average of 3 two-sided differences": partial(averaged, FALLS["gaussian"](), q=3),
    "MeZO-Greedy, M = 4": partial(FALLS["greedy"], candidates=4),
    "MeZO-GV, M = 4": partial(FALLS["guiding_vector"], candidates=4, best=2),
    "5 one-sided differences": partial(FALLS["one_sided"], q=5),
    "9 one-sided differences": partial(FALLS["one_sided"], q=9),
    "5 orthonormal one-sided differences": partial(FALLS["orthonormal"], d=10**9, q=5),
}


def _table(cards: Mapping[str, Card]) -> Iterator[str]:
    yield '<div class="judged wide"><table class="cards"><thead><tr><th>card</th><th>mean</th>'
    yield "<th>relative variance</th><th>E cos²</th></tr></thead><tbody>"
    for name, found in cards.items():
        cos2 = "not in closed form" if found.cos2 is None else _ml(found.cos2)
        yield f"<tr><th>{name}</th><td>{_mean(found)}</td>"
        yield f"<td>{_ml(found.relative_variance)}</td><td>{cos2}</td></tr>"
    yield "</tbody></table></div>"


def _mean(found: Card) -> str:
    target = escape(found.target)
    return target if found.scale == 1 else f"{_ml(found.scale)} · {target}"


def _ml(expression: sp.Expr) -> str:
    """An expression as MathML, the way SymPy prints it, with true minuses.

    In partial fractions where that is less than half as long.
    """
    found = sp.factor_terms(expression)
    if expression.is_rational_function():
        symbols = sorted(expression.free_symbols, key=str)
        forms = (sp.apart(sp.cancel(expression), symbol) for symbol in symbols)
        shortest = min(forms, key=sp.count_ops, default=found)
        found = shortest if 2 * sp.count_ops(shortest) < sp.count_ops(found) else found
    shown = sp.mathml(found, printer="presentation")
    shown = re.sub("<mn>-(.*?)</mn>", r"<mrow><mo>-</mo><mn>\1</mn></mrow>", shown)
    return f'<math display="inline">{shown.replace("<mo>-</mo>", "<mo>−</mo>")}</math>'


def _proof(found: Card) -> list[str]:
    assumed = [f"- {plain(text)}" for text in found.assumptions]
    lines = ["Assumed:", "", *assumed, ""] if assumed else []
    return [*lines, *(f"{k}. {plain(step)}" for k, step in enumerate(found.steps, 1))]


def api() -> Mapping[str, str]:
    """The pages of the API by name: everything public, in the order in which it is met."""
    pages = {
        "recipes": _page("Recipes", [("estimators", _functions())]),
        "optimiser": _page(
            "The optimiser",
            [("estimators", ["ZerothOrder", *_others()]), ("estimators.trainer", TRAINER)],
        ),
        "parts": "\n".join(["# Parts of the three axes", "", *_parts()]),
        "noise": _page("Noise", [("estimators.philox", philox.__all__)]),
        "judge": _page("The judge", [("zotheory", zotheory.__all__)]),
        **{name: _modules(title, modules) for name, (title, modules) in MODULES.items()},
    }
    listed = "\n".join(pages)
    index = f"# API\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    return {**pages, "index": index}


TRAINER = ("ZerothOrderTrainer",)
EVIDENCE = {  # what a claim's checks are made of, beside what `zotheory` itself has
    "zotheory.evidence.compared": ("Case", "Quantity", "Sample", "mean", "median"),
    "zotheory.evidence.counted": ("counted",),
    "zotheory.evidence.enclosed": ("enclosed",),
    "zotheory.evidence.modelled": ("Modelled", "Trajectory", "modelled", "on_model"),
    "zotheory.evidence.printed": ("Computed", "above", "at_least", "changed", "mean", "printed"),
    "zotheory.evidence.tables": ("Table",),
    "zotheory.evidence.timed": ("Rounds", "Timing", "timed"),
}
MODULES: dict[str, tuple[str, Mapping[str, Sequence[str] | None]]] = {  # None: all that is public
    "evidence": ("Evidence", EVIDENCE),
    "statistics": (
        "Statistics and searches",
        dict.fromkeys(("zotheory.statistics", "zotheory.montecarlo", "zotheory.search")),
    ),
    "check": ("Checks of optimisers", dict.fromkeys(("zotheory.checking", "zotheory.testing"))),
    "probe": ("Probes and training", dict.fromkeys(("zotheory.probing", "zotheory.training"))),
    "exact": (
        "Exact mathematics",
        {
            **dict.fromkeys(("proofs_check.gaussian", "proofs_check.inequalities")),
            "proofs_check.cards": ("Card", "Support", "card"),
            "proofs_check.cards.card": ("count", "share"),
            "proofs_check.falls": None,
        },
    ),
}


def _modules(title: str, modules: Mapping[str, Sequence[str] | None]) -> str:
    """A page with a section for each module: what it is for, then its names."""
    lines = [f"# {title}", ""]
    for module, names in modules.items():
        found = import_module(module)
        names = [n for n in names or _public(found) if _is_shown(getattr(found, n))]
        lines += [f"## {module}", "", "```{eval-rst}", f".. automodule:: {module}"]
        lines += ["   :no-index:", "```", ""]
        lines += [line for name in names for line in _object(module, name)]
    return "\n".join(lines)


def _public(module: ModuleType) -> Sequence[str]:
    """What a module says that it offers, or the functions and classes that it defines."""
    if hasattr(module, "__all__"):
        return module.__all__
    own = {n: x for n, x in vars(module).items() if getattr(x, "__module__", "") == module.__name__}
    return [name for name in own if not name.startswith("_")]


def _is_shown(found: object) -> bool:
    """Whether it is a function or a class that does not stand on the page of the judge."""
    told = inspect.isfunction(found) or inspect.isclass(found)
    return told and not any(found is getattr(zotheory, name) for name in zotheory.__all__)


def _page(title: str, parts: Iterable[tuple[str, Iterable[str]]]) -> str:
    found = (line for module, names in parts for n in names for line in _object(module, n))
    return "\n".join([f"# {title}", "", *found])


def _object(module: str, name: str) -> list[str]:
    found = getattr(import_module(module), name)
    kind = "class" if inspect.isclass(found) else "data"
    kind = "function" if inspect.isfunction(found) else kind
    members = ["   :members:"] if kind == "class" else []
    return ["```{eval-rst}", f".. auto{kind}:: {module}.{name}", *members, "```", ""]


def _functions() -> list[str]:
    return [n for n in estimators.__all__ if _home(n) == "estimators.recipes"]


def _parts() -> list[str]:
    lines = []
    for axis in AXES:
        names = [n for n in estimators.__all__ if f".{axis}." in _home(n)]
        lines += [f"## {axis.capitalize()}", ""]
        lines += [line for name in names for line in _object("estimators", name)]
    return lines


def _others() -> list[str]:
    on_axes = {n for n in estimators.__all__ if any(f".{axis}." in _home(n) for axis in AXES)}
    shown = on_axes | set(_functions()) | {ZerothOrder.__name__}
    return [name for name in estimators.__all__ if name not in shown]


def _home(name: str) -> str:
    return getattr(estimators, name).__module__
