import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from estimators import recipes
from tests.probing.toys import Random, Still
from zotheory.probing.lineup import lineup, recipe_names
from zotheory.probing.objectives import ProbeError, linear


def names(*asked, size=(24, 16)):
    return [estimator.name for estimator in lineup(asked, *size)]


def test_without_names_every_recipe_is_there():
    found = names()
    assert all(any(f == r or f.startswith(f"{r} ") for f in found) for r in recipe_names())
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("size", [(24, 16), (2, 3), (1, 2), (16, 24)])
def test_every_recipe_fits_the_matrix(size):
    objective = linear(*size, 0)
    for estimator in lineup((), *size):
        made, parameters = estimator.build(objective, 0)
        assert made.estimate(lambda parameters=parameters: objective.loss(parameters))


def test_named_recipes_come_with_their_variants_once():
    assert names("tezo", "one_sided", "tezo") == [
        "tezo",
        "one_sided",
        "one_sided q=4",
        "one_sided orthonormal",
    ]


def test_ones_own_stands_beside_all_or_beside_those_named():
    assert names(Random)[:2] == ["Random", "hizoo"]
    assert len(names(Random)) == len(names()) + 1
    assert names("mezo", Random) == ["Random", "mezo"]
    assert [e.own for e in lineup([Random, "mezo"], 4, 4)] == [True, False]


def test_equal_names_are_told_apart():
    other = type("Random", (Random,), {})
    assert names(Random, other, Random, "mezo") == ["Random", "Random (2)", "mezo"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package and a file in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    (tmp_path / "mypkg").mkdir()
    (tmp_path / "mypkg" / "__init__.py").touch()
    text = "class Mine:\n    def __init__(self, params, seed): pass\nNUMBER = 1\n"
    (tmp_path / "mypkg" / "own.py").write_text(text)
    (tmp_path / "mypkg" / "broken.py").write_text("x = 1 / 0\n")
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypkg"]:
        del sys.modules[name]


def test_a_module_or_a_file_names_a_factory(package):
    assert names("mypkg.own:Mine", "mezo") == ["Mine", "mezo"]
    assert names("mypkg/own.py:Mine", "mezo") == ["Mine", "mezo"]
    assert names(f"{package}/mypkg/own.py:Mine", "mezo") == ["Mine", "mezo"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("tezzo", "no recipe is called 'tezzo'; did you mean tezo"),
        ("xyzzy", "no recipe is called 'xyzzy'; they are hizoo, lezo"),
        ("_build", "no recipe is called '_build'"),
        ("mypkg/own.py", "mypkg/own.py:FACTORY"),
        ("mypkg.own:Nobody", "mypkg.own has no factory 'Nobody'"),
        ("mypkg.own:NUMBER", "mypkg.own has no factory 'NUMBER'"),
        ("mypkg/own.py:", "mypkg/own.py has no factory ''"),
        ("mypkg.none:Mine", "cannot import 'mypkg.none': ModuleNotFoundError"),
        ("mypkg.broken:Mine", "cannot import 'mypkg.broken': ZeroDivisionError"),
        ("mypkg/none.py:Mine", "no file mypkg/none.py"),
        ("mypkg/broken.py:Mine", "mypkg/broken.py: line 1: ZeroDivisionError"),
        (":Mine", "cannot import ''"),
        ("", "no recipe is called ''"),
    ],
)
def test_what_names_nothing_is_told_in_one_line(package, target, expected):
    with pytest.raises(ProbeError) as told:
        lineup([target], 4, 4)
    assert expected in str(told.value)
    assert "\n" not in str(told.value)


def test_an_instance_that_can_be_called_is_a_factory():
    class Maker:
        def __call__(self, params, seed):
            return Still(params, seed)

    assert names(Maker(), "mezo") == ["Maker", "mezo"]


def test_a_path_names_a_factory_as_text_does(package):
    assert names(Path("mypkg/own.py:Mine"), "mezo") == ["Mine", "mezo"]


def test_a_factory_need_not_have_a_hash():
    class Maker(list):
        def __call__(self, params, seed):
            return Still(params, seed)

    maker = Maker()
    assert names(maker, maker, "mezo") == ["Maker", "mezo"]


made = recipes.mezo([torch.ones(2, 2, requires_grad=True)], seed=0)


@pytest.mark.parametrize("one", [3, None, b"mezo", made, pd.DataFrame()])
def test_what_is_neither_a_name_nor_a_factory_is_told(one):
    with pytest.raises(ProbeError, match="is no estimator to probe: give a recipe's name") as told:
        lineup([one], 4, 4)
    assert "\n" not in str(told.value)
