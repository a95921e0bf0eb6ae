"""The providers that there are, by name; a module is imported when it is chosen."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from fairway.kit import ConfigurationError
from fairway.plugins.sms.provider import Provider

__all__ = ["PROVIDERS", "load_provider"]

PROVIDERS: Mapping[str, str] = {
    "console": "fairway.plugins.sms.console:ConsoleProvider",
    "memory": "fairway.plugins.sms.memory:MemoryProvider",
    "simulator": "fairway.plugins.sms.simulator:SimulatorProvider",
    "smpp": "fairway.plugins.sms.smpp:SmppProvider",
    "twilio": "fairway.plugins.sms.twilio:TwilioProvider",
}
_SETTING = 'FAIRWAY["PLUGINS"]["sms"]["provider"]'


def load_provider(name: str) -> type[Provider]:
    """Import the class of a provider.

    Args:
        name: one of `PROVIDERS`, or `package.module:Class` or `package.module.Class`.

    Raises:
        ConfigurationError: there is none of that name, a module that it needs is not
            installed, or it is no `Provider`.
    """
    path = PROVIDERS.get(name, name)
    module_name, _, attribute = path.replace(":", ".").rpartition(".")
    if not module_name:
        names = ", ".join(PROVIDERS)
        raise ConfigurationError(
            _SETTING, f"has {name!r}; it must be one of {names}, or a dotted path"
        )
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        hint = "; pip install 'fairway[sms]'" if name in PROVIDERS else ""
        raise ConfigurationError(
            _SETTING, f"has {name!r}, which needs {error.name!r}: not installed{hint}"
        ) from error
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            _SETTING, f"has {name!r}, which cannot be imported: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Provider)):
        raise ConfigurationError(_SETTING, f"has {name!r}, which is no Provider class")
    return found
