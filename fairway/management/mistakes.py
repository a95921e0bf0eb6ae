"""How a command ends when something in the settings is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from fairway.core.exceptions import FairwayError

__all__ = ["told_in_one_message"]


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
