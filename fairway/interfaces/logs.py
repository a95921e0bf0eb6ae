"""The logger a protocol gets: names the protocol, and never shows its secrets."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from fairway.core.plugin.redaction import hide_secrets
from fairway.core.settings import Config

__all__ = ["protocol_log"]


def protocol_log(
    protocol: str, config: Config
) -> logging.LoggerAdapter[logging.Logger]:
    """Return the logger `fairway.protocols.<protocol>`.

    Args:
        config: the protocol's section; texts of its secrets are hidden in every line.
    """
    logger = logging.getLogger(f"fairway.protocols.{protocol}")
    hide_secrets(logger, [config])
    return _Named(logger, {"protocol": protocol})


class _Named(logging.LoggerAdapter[logging.Logger]):
    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        assert self.extra is not None
        kwargs["extra"] = {**self.extra, **(kwargs.get("extra") or {})}
        return f"[{self.extra['protocol']}] {msg}", kwargs
