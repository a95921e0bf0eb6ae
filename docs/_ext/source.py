"""Reads what a class says about its fields: the string literal under each of them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Field", "fields_of", "flat", "signature_of"]


class Field(NamedTuple):
    """One field as it stands in the source."""

    name: str
    type: str
    default: str
    """Empty when the field must be given."""
    text: str
    """Its docstring on one line."""


def flat(text: str | None) -> str:
    """Return text on one line."""
    return " ".join((text or "").split())


def fields_of(owner: type[Any]) -> Iterator[Field]:
    """Yield the public fields that a class declares itself, in order."""
    module = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    declared = module.body[0]
    assert isinstance(declared, ast.ClassDef)
    for position, statement in enumerate(declared.body):
        name, kind, value = _parts(statement)
        if name and not name.startswith("_"):
            following = declared.body[position + 1 : position + 2]
            constant = getattr(inspect.getmodule(owner), value, value)
            yield Field(name, kind, str(constant), _literal(following))


def signature_of(function: Any) -> str:
    """Return the line that defines a function, without its body."""
    module = ast.parse(textwrap.dedent(inspect.getsource(function)))
    declared = module.body[0]
    assert isinstance(declared, ast.FunctionDef)
    declared.decorator_list = []
    declared.body = [ast.Expr(ast.Constant(...))]
    return ast.unparse(declared).replace("\n    ...", " ...")


def _parts(statement: ast.stmt) -> tuple[str, str, str]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value):
            return name, ast.unparse(kind), _default(value)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, "", _default(value)
        case _:
            return "", "", ""


def _default(value: ast.expr | None) -> str:
    match value:
        case None:
            return ""
        case ast.Call(func=ast.Name(id="field"), keywords=[ast.keyword(value=made)]):
            return _default(made.body if isinstance(made, ast.Lambda) else made)
        case ast.Call(args=[], keywords=[]):  # a section with its own defaults
            return "{}"
        case _:
            return ast.unparse(value).replace("'", '"')


def _literal(following: list[ast.stmt]) -> str:
    match following:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return flat(text)
        case _:
            return ""
