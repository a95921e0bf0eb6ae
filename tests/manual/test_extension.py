"""The manual's Sphinx extension reads declarations and docstrings as they are meant."""

from __future__ import annotations

import pytest

from fairway.core.settings import Limits, Settings
from tests.architecture.manual import extension


def test_a_field_has_its_type_its_default_and_its_docstring() -> None:
    fields = {one.name: one for one in extension("source").fields_of(Settings)}

    assert fields["threads"] == (
        "threads",
        "int",
        "8",
        "Threads of one worker process.",
    )
    assert fields["plugins"].default == '{"http": {}}'
    assert fields["max_content"].default == "1048576"
    assert fields["limits"].default == "{}"


def test_a_default_that_is_a_product_stays_readable() -> None:
    fields = {one.name: one for one in extension("source").fields_of(Limits)}

    assert fields["held_bytes"].default == "256 * 1024"


def test_a_block_is_replaced_by_its_table() -> None:
    text = "before\n\n```{declared} limits\n```\n\nafter"

    expanded = extension("declared").expand(text)

    assert expanded.startswith("before\n\n| setting | type |")
    assert expanded.endswith("|\n\nafter")


def test_a_table_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError, match="limit"):
        extension("declared").expand("```{declared} limit\n```")


def test_backticks_of_a_docstring_become_literals() -> None:
    assert extension("docstrings").to_rst("a `b:c` d") == "a ``b:c`` d"


def test_an_indented_example_becomes_a_literal_block() -> None:
    text = "Use it:\n\n    with it:\n        go()\n\nThen stop."

    made = extension("docstrings").to_rst(text)

    assert made == "Use it:\n\n::\n\n    with it:\n        go()\n\nThen stop."


def test_arguments_are_no_example() -> None:
    text = "Do.\n\nArgs:\n    one: the\n        first.\n    two: the second."

    assert extension("docstrings").to_rst(text) == text
