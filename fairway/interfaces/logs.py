"""The logger a protocol gets: names the protocol, and never shows its secrets."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from fairway.core.settings import Config, Secret

__all__ = ["protocol_log"]

_HIDDEN = "***"


def protocol_log(
    protocol: str, config: Config
) -> logging.LoggerAdapter[logging.Logger]:
    """Return the logger `fairway.protocols.<protocol>`.

    Args:
        config: the protocol's section; texts of its secrets are hidden in every line.
    """
    logger = logging.getLogger(f"fairway.protocols.{protocol}")
    for former in [one for one in logger.filters if isinstance(one, _Redaction)]:
        logger.removeFilter(former)
    if secrets := _secrets(config):
        logger.addFilter(_Redaction(secrets))
    return _Named(logger, {"protocol": protocol})


class _Named(logging.LoggerAdapter[logging.Logger]):
    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        assert self.extra is not None
        kwargs["extra"] = {**self.extra, **(kwargs.get("extra") or {})}
        return f"[{self.extra['protocol']}] {msg}", kwargs


class _Redaction(logging.Filter):
    def __init__(self, secrets: list[str]) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._hide(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            # Formatters take this text instead of making their own.
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = self._hide(text)
        return True

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text


def _secrets(config: Config) -> list[str]:
    values = [getattr(config, name) for name in config.__struct_fields__]
    values += [
        one for value in values if isinstance(value, dict) for one in value.values()
    ]
    found = [value.reveal() for value in values if isinstance(value, Secret)]
    return sorted((text for text in found if text), key=len, reverse=True)
