"""HTTP/1.1 through channels."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.kit import ProtocolSpec, hookimpl
from fairway.plugins.http.spec import SPEC

__all__ = ["fairway_protocols"]


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    """Declare http."""
    return [SPEC]
