"""`zotheory.verify` as notebooks call it."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import zotheory
from zotheory.ledger import Ledger
from zotheory.model.source import ModelError
from zotheory.papers import BrokenClaims, UnknownClaim
from zotheory.run import OutputError, verify
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Statement, Verdict

ID = "lezo.eq26.constant"  # a quick one
EXAMPLE = Path(__file__).parent.parent / "examples" / "my_claims.py"
SQUARE = sp.Symbol("E x^2")


def said(statement, context):
    verdict = Verdict.PROVED if statement.says == "so" else Verdict.REFUTED
    return Evidence(Kind.EXACT, verdict, "because")


def claim(id="my.claim", **other):
    checks = {"needs": Kind.EXACT, "checks": Check(Kind.EXACT, said)} | other
    return Claim(id, "here", Statement("so"), mutant=Statement("not so"), **checks)


def ids(*names, **options):
    ledger = verify(*names, **{"budget": "quick", "model": None} | options)
    assert not any(entry.failed for entry in ledger.claims)
    return [entry.id for entry in ledger.claims]


@pytest.mark.parametrize(
    "names",
    [
        (ID,),
        ([ID],),
        ((ID, [ID]), {ID}),
        (np.array([ID]),),
        (name for name in [ID]),
        (zotheory.claim(ID),),
        ([zotheory.claim(ID), ID],),
        (zotheory.recorded(ID).frame().index,),
    ],
)
def test_a_claim_is_named_in_many_ways(names):
    assert ids(*names) == [ID]


def test_claims_files_and_claims_of_ones_own_stand_beside_names():
    assert ids([ID, {EXAMPLE}], claim(), str(EXAMPLE)) == [ID, "mine.spsa", "my.claim"]


def test_the_other_arguments_are_taken_where_they_are_clear(tmp_path):
    out = str(tmp_path / "out")
    taken = {"seed": np.int64(3), "jobs": np.int32(1), "resume": np.False_, "model": "none"}
    assert ids(ID, out=out, **taken) == [ID]
    assert Ledger.read(f"{out}/ledger.json").seed == 3


def test_workers_draw_for_a_claim_that_only_this_process_knows():
    def plan(statement, context):
        def sample(rng, size):  # a closure: no worker could import it
            return rng.standard_normal(size) ** 2

        target = float(statement.formula.rhs)
        decide = partial(decide_equal, method=Catoni(2.0), target=target, tolerance=0.2)
        return zotheory.Measurement("here", sample, decide, shard_size=1000, max_shards=32)

    own = Claim(
        "my.square",
        "here",
        Statement("E x^2 = 1.", sp.Eq(SQUARE, 1)),
        "measured",
        zotheory.measured(plan),
        mutant=Statement("E x^2 = 2.", sp.Eq(SQUARE, 2)),
    )
    entries = [
        verify(own, ID, budget="quick", model=None, jobs=jobs)["my.square"] for jobs in (1, 2)
    ]
    for entry in entries:
        assert (entry.verdict, entry.failed) == ("confirmed", "")
    assert entries[0] == replace(entries[1], seconds=entries[0].seconds)


@pytest.mark.parametrize(
    ("names", "options", "kind", "expected"),
    [
        ((), {"budget": "fast"}, ValueError, "budget must be one of quick, standard, deep, got 'f"),
        ((), {"budget": ["quick"]}, ValueError, "budget must be one of .*, got ['quick']"),
        ((), {"budget": None}, ValueError, "budget must be one of .*, got None"),
        ((), {"jobs": 0}, ValueError, "jobs must be a whole number of at least 1, got 0"),
        ((), {"jobs": "two"}, ValueError, "jobs must be a whole number of at least 1, got 'two'"),
        ((), {"seed": -1}, ValueError, "seed must be a whole number of at least 0, got -1"),
        ((), {"seed": 1.5}, ValueError, "seed must be a whole number"),
        ((), {"seed": None}, ValueError, "seed must be a whole number"),
        ((), {"resume": "no"}, ValueError, "resume must be True or False, got 'no'"),
        ((), {"out": 3}, ValueError, "out must be a path, as text or a Path, got 3"),
        ((), {"out": ""}, ValueError, "out must be a path"),
        ((), {"model": 3}, ModelError, "model must be the name of one or a path, got 3"),
        ((), {"model": "./my-model"}, ModelError, "'./my-model': there is no such folder or file"),
        ((None,), {}, UnknownClaim, "None names no claim"),
        ((3, ID), {}, UnknownClaim, "3 names no claim"),
        ((zotheory.recorded().frame(),), {}, UnknownClaim, "... names no claim: give ids"),
        ((b"tezo",), {}, UnknownClaim, "b'tezo' names no claim"),
        (({"tezo": 1},), {}, UnknownClaim, "{'tezo': 1} names no claim"),
        ((EXAMPLE.read_text,), {}, UnknownClaim, "names no claim"),
        (([],), {}, UnknownClaim, "an empty list names no claim"),
        (("",), {}, UnknownClaim, "no claim, paper or file is called ''"),
        (("tezo.nothing",), {}, UnknownClaim, "'tezo.nothing'"),
        ((Path("none.py"),), {}, BrokenClaims, "no claims file none.py"),
        ((EXAMPLE.parent,), {}, BrokenClaims, "examples is a folder, not a claims file"),
        ((Path("LICENSE").absolute(),), {}, BrokenClaims, "the name of one ends in .py"),
        ((replace(zotheory.claim(ID)),), {}, BrokenClaims, f"{ID}, which is a claim of the toolk"),
        ((claim(), claim()), {}, BrokenClaims, "my.claim, which is already chosen"),
        ((claim(),), {"resume": True}, ValueError, "resume cannot see whether my.claim has chang"),
    ],
)
def test_what_cannot_be_taken_is_one_line_before_any_work(
    names, options, kind, expected, tmp_path, monkeypatch
):
    monkeypatch.chdir(EXAMPLE.parent.parent)
    options = {"model": None, "out": tmp_path / "out"} | options
    with pytest.raises(kind) as told:
        verify(*(names or (ID,)), **options)
    assert re.search(re.escape(expected).replace(r"\.\*", ".*"), str(told.value))
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_a_file_may_not_declare_a_claim_of_the_toolkits(tmp_path):
    text = EXAMPLE.read_text().replace("mine.spsa", ID)
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(BrokenClaims, match=rf"own\.py declares {ID}, which is a claim of the"):
        verify(tmp_path / "own.py", model=None)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        verify(ID, budget="quick", model=None, out=str(tmp_path / "file"))
