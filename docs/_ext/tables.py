"""The tables of the reference, made from what fairway declares."""

from __future__ import annotations

import argparse
import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.core.management import load_command_class
from source import fields_of, flat, signature_of

from fairway.core import exceptions
from fairway.core.assembly import Assembly
from fairway.core.drops import Drop
from fairway.core.plugin import hookspecs
from fairway.core.plugin.host import Refusal
from fairway.core.plugin.loading import import_path, installed
from fairway.core.plugin.spec import Event, ProtocolSpec
from fairway.core.settings import Config, Limits, Settings
from fairway.management.doctor.findings import KINDS

__all__ = ["TABLES", "commands", "hooks", "own_actions", "specs"]

_COMMANDS = ("runserver", "runinterface", "runworker", "fairway")


def specs() -> list[ProtocolSpec]:
    """Return the specs of the protocols that come with fairway, http first."""
    return [
        spec
        for module in sorted(installed().values())
        if module.startswith("fairway.")
        for spec in importlib.import_module(module).fairway_protocols()
    ]


def hooks() -> dict[str, Callable[..., Any]]:
    """Return the hookspecs in the order of their page."""
    return {
        name: hook
        for name, hook in vars(hookspecs).items()
        if name.startswith("fairway_")
    }


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command of `manage.py`, and of each subcommand."""
    found: dict[str, argparse.ArgumentParser] = {}
    for name in _COMMANDS:
        parser = load_command_class("fairway", name).create_parser("manage.py", name)
        found[name] = parser
        for action in own_actions(parser):
            if isinstance(action, argparse._SubParsersAction):
                found |= {f"{name} {sub}": own for sub, own in action.choices.items()}
    return found


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def _code(text: object) -> str:
    return f"`{text}`" if str(text) else ""


def _fields(*owners: type[Any], spell: Callable[[str], str] = str) -> str:
    return _table(
        ("setting", "type", "default", "meaning"),
        [
            (
                _code(spell(field.name)),
                _code(field.type),
                _code(field.default) or "required",
                field.text,
            )
            for owner in owners
            for field in fields_of(owner)
        ],
    )


def _settings() -> str:
    return _fields(Settings, spell=str.upper)


def _limits() -> str:
    return _fields(Limits)


def _sections() -> str:
    parts = []
    for spec in specs():
        parts += [f"## `{spec.name}`", flat(inspect.getdoc(spec.config))]
        bases = [base for base in spec.config.__mro__[1:] if issubclass(base, Config)]
        parts += [_fields(spec.config, *bases[:-1])]
    return "\n\n".join(parts)


def _layers() -> str:
    found = Assembly(Settings(plugins={})).plugins.channel_layers()
    return _table(
        ("URL", "class", ""),
        [
            (
                _code(f"{scheme}://"),
                _code(path),
                flat((inspect.getdoc(import_path(path)) or "").split("\n\n")[0]),
            )
            for scheme, path in found.items()
        ],
    )


def _keys(event: Event) -> str:
    return ", ".join(f"`{key}: {kind.__name__}`" for key, kind in event.keys.items())


def _events(protocol: str) -> str:
    (spec,) = (spec for spec in specs() if spec.name == protocol)
    return _table(
        ("event", "when", "own keys", "capacity", "patience"),
        [
            (
                _code(event.channel),
                event.summary,
                _keys(event),
                f"{event.capacity:,}",
                f"{event.patience:g} s",
            )
            for event in spec.events
        ],
    )


def _yes(answer: object) -> str:
    return "yes" if answer else "no"


def _has_event(spec: ProtocolSpec, what: str) -> bool:
    return any(event.channel == f"{spec.name}.{what}" for event in spec.events)


def _shown(content: dict[str, Any] | None) -> str:
    if not content:
        return "nothing"
    short = {key: value for key, value in content.items() if key in _SHORT}
    return ", ".join(f"`{key}` {value}" for key, value in short.items())


_SHORT = {"status", "close"}
_OWNERS = {
    "owned": "one interface server",
    "shared": "any interface server",
    "none": "nobody",
}
_CAPABILITIES: dict[str, Callable[[ProtocolSpec], str]] = {
    "has a connection that opens": lambda spec: _yes(_has_event(spec, "connect")),
    "says when a peer has left": lambda spec: _yes(_has_event(spec, "disconnect")),
    "a peer belongs to": lambda spec: _OWNERS[spec.peers],
    "events of a peer run one after another": lambda spec: _yes(
        spec.ordering == "peer"
    ),
    "peer state (`message.state`)": lambda spec: _yes(spec.ordering == "peer"),
    "a consumer accepts or refuses": lambda spec: _yes(
        "accept" in spec.replies and _has_event(spec, "connect")
    ),
    "sends text": lambda spec: _yes("text" in spec.replies),
    "sends bytes": lambda spec: _yes("bytes" in spec.replies),
    "sends headers": lambda spec: _yes("headers" in spec.replies),
    "sends a status": lambda spec: _yes("status" in spec.replies),
    "close carries a reason": lambda spec: _yes("reason" in spec.replies),
    "answer when a consumer raised": lambda spec: _shown(spec.failure),
    "answer when nothing is routed": lambda spec: _shown(spec.unrouted),
    "routes of its own": lambda spec: _yes(spec.routes),
}


def _matrix() -> str:
    found = specs()
    return _table(
        ("", *(_code(spec.name) for spec in found)),
        [
            (capability, *(tell(spec) for spec in found))
            for capability, tell in _CAPABILITIES.items()
        ],
    )


def _hooks() -> str:
    parts = []
    for name, hook in hooks().items():
        text = inspect.getdoc(hook) or ""
        parts.append(f"### `{name}`\n\n```python\n{signature_of(hook)}\n```\n\n{text}")
    return "\n\n".join(parts)


def _members(enum: type[Any]) -> str:
    return _table(
        ("code", "meaning"),
        [(_code(field.default.strip('"')), field.text) for field in fields_of(enum)],
    )


def _errors() -> str:
    names = [name for name in exceptions.__all__ if name[0].isupper()]
    directives = [
        f".. autoexception:: fairway.core.exceptions.{name}" for name in names
    ]
    return "\n".join(["```{eval-rst}", "\n\n".join(directives), "```"])


def _error_tree() -> str:
    _, _, rest = (exceptions.__doc__ or "").partition("\n\n")
    tree, _, _ = rest.partition("\n\n")
    return f"```text\n{tree}\n```"


def _commands() -> str:
    parts = []
    for name, parser in commands().items():
        parts += [f"## `{name}`", parser.description or ""]
        rows = [row for action in own_actions(parser) for row in _options(action)]
        parts += [_table(("argument", "meaning"), rows)] if rows else []
    return "\n\n".join(parts)


def own_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the actions that Django does not give to every command."""
    plain = {"help", "version", "verbosity", "settings", "pythonpath", "traceback"}
    plain |= {"no_color", "force_color", "skip_checks"}
    return [action for action in parser._actions if action.dest not in plain]


def _options(action: argparse.Action) -> list[tuple[str, str]]:
    if isinstance(action, argparse._SubParsersAction):
        choices = action._choices_actions
        return [(_code(choice.dest), choice.help or "") for choice in choices]
    value = f" {action.metavar or action.dest.upper()}" if action.nargs != 0 else ""
    names = [_code(f"{option}{value}") for option in action.option_strings]
    return [(", ".join(names) or _code(action.dest), flat(action.help))]


def _findings() -> str:
    return _table(
        ("code", "level", "what is wrong", "what to do"),
        [
            (_code(kind.code), kind.level, kind.title, kind.fix)
            for kind in KINDS.values()
        ],
    )


TABLES: dict[str, Callable[..., str]] = {
    "settings": _settings,
    "limits": _limits,
    "sections": _sections,
    "layers": _layers,
    "events": _events,
    "matrix": _matrix,
    "hooks": _hooks,
    "drops": lambda: _members(Drop),
    "refusals": lambda: _members(Refusal),
    "errors": _errors,
    "error-tree": _error_tree,
    "commands": _commands,
    "doctor": _findings,
}
