"""What the packages call their parts."""

import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

import cellseg_monai

PACKAGES = ["cellseg_monai"] + [
    found.name for found in pkgutil.walk_packages(cellseg_monai.__path__, "cellseg_monai.") if found.ispkg
]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_bears_the_name_of_what_its_package_offers(package: str) -> None:
    # From Python 3.12 on, `pydoc.locate`, by which MONAI finds a `_target_`, takes the module where both are there.
    offers = import_module(package)
    modules = {found.name for found in pkgutil.iter_modules(offers.__path__)}
    things = {name for name in getattr(offers, "__all__", ()) if not isinstance(getattr(offers, name), ModuleType)}
    assert things & modules == set()
