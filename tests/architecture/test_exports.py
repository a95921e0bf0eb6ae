"""What is exported, what can be imported and what is documented are the same."""

from __future__ import annotations

import ast
import importlib
from types import ModuleType

import pytest

import fairway
import fairway.kit
from tests.architecture.manual import directives, page
from tests.architecture.tree import PACKAGE, module_of, parsed, sources

FACES = {fairway: "consumers", fairway.kit: "plugins"}
"""The public faces, and the page of the reference that describes each."""

each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)


def under_type_checking(face: ModuleType) -> set[str]:
    """Return the names that type checkers see instead of the lazy ones."""
    tree = parsed(PACKAGE / ("kit.py" if face is fairway.kit else "__init__.py"))
    return {
        alias.name
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@each_face
def test_every_exported_name_can_be_imported(face: ModuleType) -> None:
    for name in face.__all__:
        assert getattr(face, name) is not None


@each_face
def test_every_exported_name_is_documented_and_no_other(face: ModuleType) -> None:
    documented = directives(page(FACES[face]))

    assert documented == {f"{face.__name__}.{name}" for name in face.__all__}


@each_face
def test_type_checkers_see_the_lazy_names(face: ModuleType) -> None:
    assert set(face._LAZY) == under_type_checking(face)


@each_face
def test_lazy_names_are_exported(face: ModuleType) -> None:
    assert set(face._LAZY) <= set(face.__all__)


@each_face
def test_an_unknown_name_is_an_attribute_error(face: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no attribute 'Channels'"):
        face.Channels  # noqa: B018


@pytest.mark.parametrize(
    "name",
    [
        module_of(path)
        for path in sources()
        if "management" not in path.parts and "transport_" not in path.name
    ],
)
def test_what_a_module_exports_is_there(name: str) -> None:
    module = importlib.import_module(name)

    assert [
        each for each in getattr(module, "__all__", ()) if not hasattr(module, each)
    ] == []
