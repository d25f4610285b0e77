"""The reports of gradle: of this checkout and this run, whatever lies beside them."""

import subprocess
from pathlib import Path

from snapshot.runner.validation.reports import number_ran

REPORT = '<testsuite name="a" tests="3" skipped="1">'


def report(folder: Path) -> None:
    results = folder / "build" / "test-results" / "test"
    results.mkdir(parents=True)
    (results / "TEST-a.xml").write_text(REPORT)


def test_the_tests_that_ran_are_counted_and_skipped_ones_are_not(tmp_path: Path) -> None:
    report(tmp_path / "checkout")
    assert number_ran(tmp_path / "checkout", since=0) == 2


def test_a_report_outside_of_the_checkout_counts_nothing(tmp_path: Path) -> None:
    report(tmp_path / "elsewhere")
    checkout = tmp_path / "checkout"
    (checkout / "build" / "test-results").mkdir(parents=True)
    (checkout / "build" / "test-results" / "broken").symlink_to(tmp_path / "nowhere")
    module = checkout / "module"
    module.mkdir()
    (module / "build").symlink_to(tmp_path / "elsewhere" / "build")
    assert number_ran(checkout, since=0) == 0


def test_folders_may_be_as_deep_as_they_like(tmp_path: Path) -> None:
    report(tmp_path / "checkout")
    deep = tmp_path / "checkout" / "/".join(["a"] * 1_500)
    subprocess.run(["mkdir", "-p", deep], check=True)
    assert number_ran(tmp_path / "checkout", since=0) == 2
    subprocess.run(["rm", "-rf", tmp_path / "checkout" / "a"], check=True)
