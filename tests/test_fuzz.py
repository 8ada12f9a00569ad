"""The quick part of `tests/fuzz_model_files.py`."""

import os

import pytest
from fuzz_model_files import fuzz


@pytest.mark.skipif(os.name != "posix", reason="forks to parse HDF5 quickly")
def test_spoiled_model_files_load_or_are_refused_in_one_line():
    report = fuzz(count=120, seed=20260)
    assert report.faults == []
    assert sum(report.loaded.values()) > 10
    assert len(report.refused) == 8, "every kind of file"
