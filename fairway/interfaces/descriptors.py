"""How many connections the system lets this process hold."""

from __future__ import annotations

import logging

__all__ = ["raise_descriptor_limit"]

log = logging.getLogger("fairway.interfaces")


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open descriptors to the hard one.

    Each client is a descriptor, and the usual soft limit of 1,024 is meant for programs
    that use `select`.
    """
    try:
        import resource
    except ImportError:  # not on this system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        log.warning("only %d descriptors may be open: %s", soft, error)
