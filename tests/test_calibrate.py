import io

import pytest
from rich.console import Console

from zotheory import calibrate
from zotheory.papers import select


def claim(name):
    (found,) = select([name])
    return found


def test_a_claim_that_holds_is_calibrated_on_itself_and_its_mutant():
    assert calibrate.truth_and_falsehood(claim("tezo.thm1.mean")) == ("statement", "mutant")


def test_a_refuted_claim_is_calibrated_on_its_correction_and_itself():
    found = claim("tezo.eq8.negligible_per_coordinate")
    assert calibrate.truth_and_falsehood(found) == ("correction", "statement")


def test_a_claim_without_a_control_cannot_be_calibrated():
    with pytest.raises(ValueError, match="control is missing"):
        calibrate.truth_and_falsehood(claim("tezo.lemma1.eq12"))


def test_a_few_seeds_print_every_subject_and_keep_the_error():
    console = Console(file=io.StringIO(), width=120)
    assert calibrate.calibrate(seeds=3, jobs=1, console=console)
    printed = console.file.getvalue()
    assert all(subject in printed for subject in (*calibrate.CLAIMS, calibrate.TIGHT))
    assert printed.count("100.0%") >= 6  # every truth confirmed, every falsehood refuted


def test_the_tight_subject_misses_the_truth_about_as_often_as_it_says():
    pairs = [calibrate.run_tight(seed) for seed in range(400)]
    share, low, high = calibrate._share(pairs, 0)
    assert low <= calibrate.ERROR
    assert share > 0.02  # an interval that never misses would show nothing
    assert calibrate._share(pairs, 1)[1] > 0.99
    assert all(verdicts[0] in ("confirmed", "refuted", "inconclusive") for verdicts in pairs)
    assert high < 0.1


def test_a_method_that_lies_about_its_error_is_found_out(monkeypatch):
    monkeypatch.setattr(calibrate, "CLAIMS", ())
    monkeypatch.setattr(calibrate, "run_tight", lambda seed: ("refuted", "refuted"))
    assert not calibrate.calibrate(seeds=10, jobs=1, console=Console(file=io.StringIO()))
