"""`zotheory check` and `zotheory.testing` as users type them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import zotheory
from tests.checking import wrong
from tests.checking.right import Right
from zotheory.checking import CheckError
from zotheory.testing import check, of_trainer, parametrize_with_checks

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "test_my_optimizer.py"
RIGHT = "tests.checking.right:Right"
UPHILL = "tests.checking.wrong:Uphill"
FEW = ("--only", "a_constant_does_not_matter", "--only", "steps_go_downhill")


def test_a_passing_one_exits_with_0_a_failing_one_with_1(command):
    status, out, error = command("check", RIGHT, *FEW)
    assert (status, error) == (0, "")
    assert "Right: 2 passed, 0 failed" in out
    status, out, _ = command("check", RIGHT, UPHILL, *FEW, "--failures")
    assert status == 1
    assert "0% of 150 steps go down" in out
    assert "A wrong sign climbs" in out  # why it matters
    assert "a_constant_does_not_matter" not in out


def test_json_has_every_result_with_its_numbers_the_same_twice(command):
    found = [command("check", UPHILL, *FEW, "--json") for _ in range(2)]
    assert found[0] == found[1]
    told = json.loads(found[0][1])
    assert [r["status"] for r in told["results"]] == ["passed", "failed"]
    assert told["results"][1]["numbers"]["downhill"] == 0.0


def test_the_list_names_each_check_and_why(command):
    status, out, _ = command("check", "--list")
    assert status == 0
    assert out.count("update_is_in_the_span") >= 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name what to check"),
        (("no_such",), "no recipe is called 'no_such'"),
        (("tests.checking.right:Wrong",), "no factory 'Wrong'"),
        (("nowhere.at:all",), "cannot import"),
        ((RIGHT, "--only", "nothing"), "no check is called 'nothing'"),
        ((RIGHT, "--only", "scale_of_the_mean", "--card", "x"), "neither a recipe nor a number"),
    ],
)
def test_bad_input_is_told_in_one_line(command, arguments, told):
    status, _, error = command("check", *arguments)
    assert status == 2
    assert told in error
    assert len(error.strip().splitlines()) == 1


def test_what_steps_not_is_told():
    with pytest.raises(CheckError, match="neither step"):
        zotheory.check(lambda params, lr: object(), only="losses_are_counted")


def test_a_report_is_a_frame_a_table_and_a_result_by_name():
    report = zotheory.check(wrong.Uphill, only=["a_constant_does_not_matter", "steps_go_downhill"])
    assert report["steps_go_downhill"].status == "failed"
    assert list(report.frame()["status"]) == ["passed", "failed"]
    assert "FAILED" in report._repr_html_()
    assert repr(report) == "<Report on Uphill: 1 passed, 1 failed, 0 not applicable>"


def test_in_a_test_a_failure_is_an_assertion_error_with_what_failed():
    check(Right, only="steps_go_downhill")
    with pytest.raises(AssertionError, match="steps_go_downhill: 0%"):
        check(wrong.Uphill, only="steps_go_downhill")


@parametrize_with_checks([Right, "mezo"], only=["a_constant_does_not_matter", "losses_are_counted"])
def test_one_test_for_each_factory_and_check(check, request):
    assert request.node.callspec.id in {
        f"{name}-{one}"
        for name in ("Right", "mezo")
        for one in ("a_constant_does_not_matter", "losses_are_counted")
    }
    check()


def test_an_object_with_an_estimate_alone_is_stepped_along_it():
    class Forward:
        """A one-sided difference."""

        def __init__(self, params, seed=0):
            self.params, self.generator = params, torch.Generator().manual_seed(seed)

        def estimate(self, closure):
            start = float(closure())
            z = [torch.randn(p.shape, generator=self.generator) for p in self.params]
            kept = [p.detach().clone() for p in self.params]
            with torch.no_grad():
                for p, noise in zip(self.params, z, strict=True):
                    p.add_(noise, alpha=1e-3)
                slope = (float(closure()) - start) / 1e-3
                for p, k in zip(self.params, kept, strict=True):
                    p.copy_(k)
            return [slope * noise for noise in z]

    few = ["update_is_in_the_span", "steps_go_downhill", "losses_are_counted", "scale_of_the_mean"]
    assert [r.status for r in zotheory.check(Forward, only=few).results] == ["passed"] * 4


def test_a_trainer_that_takes_a_model_and_inputs_is_checked_too():
    def make(model, lr, seed):
        optimizer = Right(model.parameters(), lr=lr, seed=seed)
        return lambda model, inputs: optimizer.step(lambda: model(**inputs).loss)

    few = ["update_is_in_the_span_in_float32", "steps_go_downhill", "losses_are_counted"]
    report = check(of_trainer(make), only=few)
    assert report.counts["passed"] == 3


def test_a_trainer_that_takes_no_number_for_a_loss_is_found_out():
    def make(item):
        def trainer(model, lr, seed):
            optimizer = Right(model.parameters(), lr=lr, seed=seed)
            return lambda model, inputs: optimizer.step(lambda: item(model(**inputs).loss))

        return of_trainer(trainer)

    name = "losses_may_be_numbers"
    assert zotheory.check(make(float), only=name)[name].status == "passed"
    found = zotheory.check(make(lambda loss: loss.item()), only=name)[name]
    assert (found.status, "'float' object has no attribute 'item'" in found.told) == (
        "failed",
        True,
    )


def test_the_example_is_short():
    assert len(EXAMPLE.read_text().splitlines()) < 10


@pytest.mark.slow
def test_the_example_runs():
    asked = ["-k", "proportional or counted", "--numprocesses", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(EXAMPLE), *asked],
        capture_output=True,
        text=True,
        cwd=EXAMPLE.parent.parent,
    )
    assert (done.returncode, done.stdout[:3]) == (0, ".. "), done.stdout
