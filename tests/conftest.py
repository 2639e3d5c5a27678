"""What tests of all packages share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine is slow, not wrong; and what failed once fails again. Whoever looks for more asks for a seed of
# their own: pytest --hypothesis-profile=default --hypothesis-seed=random.
settings.register_profile("seeded", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seeded")

pytest.register_assert_rewrite("tests.contracts.preparer", "tests.report.pages")


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The folder of a public set by its name; skips where it is not unpacked."""
    root = os.environ.get("CELLSEG_DATA")

    def folder(name: str) -> Path:
        if not root:
            pytest.skip("CELLSEG_DATA is not set: it names the folder with the unpacked public data sets")
        if not (Path(root) / name).is_dir():
            pytest.skip(f"CELLSEG_DATA={root} holds no {name}")
        return Path(root) / name

    return folder
