"""Log lines that say whose message they are about, for Django's `LOGGING`."""

from fairway.core.logs import ContextFilter, JsonFormatter, KeyValueFormatter, context

__all__ = ["ContextFilter", "JsonFormatter", "KeyValueFormatter", "context"]
