"""How a command ends when something in the settings is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from fairway.core.assembly import Assembly
from fairway.core.exceptions import FairwayError

__all__ = ["refuse_memory_layer", "told_in_one_message"]


@contextmanager
def told_in_one_message() -> Iterator[None]:
    """Tell the operator what is wrong, without a traceback through fairway.

    Raises:
        CommandError: in place of a FairwayError.
    """
    try:
        yield
    except FairwayError as error:
        raise CommandError(str(error)) from error


def refuse_memory_layer(assembly: Assembly, this: str, others: str) -> None:
    """Stop a process of its own whose layer lives in one process only.

    Raises:
        CommandError: the layer is `memory://`.
    """
    if assembly.settings.layer.startswith("memory:"):
        raise CommandError(
            f"{this} of its own cannot share memory:// with {others}. "
            'Set FAIRWAY["LAYER"] to a layer between processes, such as '
            '"redis://localhost:6379/0", or use runserver.'
        )
