"""A sample of odd, old and broken files; `benchmarks/torture.py` runs all of them, with limits."""

import csv

import pytest

from benchmarks import torture


@pytest.fixture
def folder(real_data):
    return real_data("torture_formats")


def test_a_sample_is_read_exactly_or_refused(folder):
    with (folder / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    sample = [row for n, row in enumerate(rows) if n % 9 == 0 or row["tifffile_tf"] != "ok" or row["pages"] != "1"]
    outcomes = {row["path"]: torture.judge(folder / row["path"], row) for row in sample}
    faults = {path: outcome for path, outcome in outcomes.items() if outcome.verdict in (torture.WRONG, torture.DIED)}
    assert not faults
    readable = [row["path"] for row in sample if "ok" in (row["tifffile_tf"], row["pil"])]
    refused = [path for path in readable if outcomes[path].verdict == torture.REFUSED]
    assert not refused
