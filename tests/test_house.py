"""The structure of the package: public names, imports, and sizes of packages and functions."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import GenericAlias, ModuleType

import pytest

import cellseg_monai

ROOT = Path(cellseg_monai.__file__).parent
PACKAGES = ["cellseg_monai"] + [
    module.name for module in pkgutil.walk_packages(cellseg_monai.__path__, "cellseg_monai.") if module.ispkg
]
SURFACE = Path(__file__).with_name("api_surface.txt")
LARGEST_ROOM = 0.13
LONGEST_BODY = 50


def public_names() -> Iterator[str]:
    """Yield every public name of each package, with the name of the package."""
    for package in PACKAGES:
        for name in getattr(import_module(package), "__all__", ()):
            yield f"{package}.{name}"


def public_object(name: str) -> object:
    """Return the object of a public name."""
    package, _, attribute = name.rpartition(".")
    return getattr(import_module(package), attribute)


def test_public_names_appear_and_disappear_only_on_purpose() -> None:
    """After an intended change, `python tests/test_house.py` updates the list."""
    assert sorted(public_names()) == SURFACE.read_text(encoding="utf-8").split()


def test_every_room_is_an_attribute_of_the_package() -> None:
    rooms = {package.split(".")[1] for package in PACKAGES if package.count(".") == 1}
    assert rooms - {"cli"} <= set(cellseg_monai.__all__)


def test_the_page_of_the_architecture_names_every_room() -> None:
    page = ROOT.parent.joinpath("docs", "architecture.md").read_text(encoding="utf-8")
    rooms = {name.split(".")[1] for name in sources() if "." in name}
    assert [room for room in sorted(rooms) if not room.startswith("_") and f"`{room}`" not in page] == []


@pytest.mark.parametrize("name", sorted(public_names()))
def test_public_names_can_be_imported_and_are_documented(name: str) -> None:
    value = public_object(name)
    # Python 3.10 takes an alias of a type for a class.
    is_class = inspect.isclass(value) and not isinstance(value, GenericAlias)
    if isinstance(value, ModuleType) or is_class or inspect.isroutine(value):
        assert inspect.getdoc(value), f"{name} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_has_the_name_of_a_public_object_of_its_package(package: str) -> None:
    # From Python 3.12 on, `pydoc.locate`, by which MONAI finds a `_target_`, takes the module if both exist.
    imported = import_module(package)
    modules = {module.name for module in pkgutil.iter_modules(imported.__path__)}
    public = {name for name in getattr(imported, "__all__", ()) if not isinstance(getattr(imported, name), ModuleType)}
    assert public & modules == set()


def sources() -> dict[str, Path]:
    """Return the file of each module by the name of the module."""
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("cellseg_monai", *path.relative_to(ROOT).with_suffix("").parts)
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def test_imports_have_no_cycle() -> None:
    modules, graph = sources(), {}
    for name, path in modules.items():
        imports = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:  # imports in functions run later
            if isinstance(node, ast.Import):
                imports |= {alias.name for alias in node.names if alias.name in modules}
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellseg_monai"):
                imports |= {
                    f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in modules else str(node.module)
                    for alias in node.names
                }
        graph[name] = imports - {name}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_room_holds_more_than_its_share() -> None:
    lines: Counter[str] = Counter()
    for name, path in sources().items():
        lines[name.split(".")[1] if "." in name else ""] += len(path.read_text(encoding="utf-8").splitlines())
    room, count = lines.most_common(1)[0]
    assert count <= LARGEST_ROOM * lines.total(), f"{room} holds {count / lines.total():.0%} of the lines"


def test_no_function_body_is_long() -> None:
    too_long = []
    for name, path in sources().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                if body and (count := (body[-1].end_lineno or 0) - body[0].lineno + 1) > LONGEST_BODY:
                    too_long.append(f"{name}.{node.name}: {count} lines")
    assert too_long == []


if __name__ == "__main__":
    SURFACE.write_text("\n".join(sorted(public_names())) + "\n", encoding="utf-8")
