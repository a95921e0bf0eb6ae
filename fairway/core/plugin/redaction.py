"""Hides the secrets of plugins' sections in lines of the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fairway.core.settings import Config, Secret

__all__ = ["hide_secrets"]

_HIDDEN = "***"


def hide_secrets(logger: logging.Logger, configs: Iterable[Config]) -> None:
    """Show no secret of these sections in lines of a logger, nor in their exceptions.

    What was hidden before by this function is hidden no more. Loggers below it are not
    covered: a logger's filters see its own records only.
    """
    for former in [one for one in logger.filters if isinstance(one, _Redaction)]:
        logger.removeFilter(former)
    found = {text for config in configs for text in _secrets(config)}
    if found:
        # The longest first: one may be a part of another.
        logger.addFilter(_Redaction(sorted(found, key=len, reverse=True)))


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
    return [text for text in found if text]
