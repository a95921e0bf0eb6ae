"""`fairway send`: one message from the command line."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from fairway.core.assembly import Assembly, assemble
from fairway.core.bus.operations import GroupSend, Operation, Send
from fairway.core.content import Content, encode_content
from fairway.core.exceptions import nearest
from fairway.core.names import check_channel, check_group
from fairway.management.mistakes import refuse_memory_layer
from fairway.management.subcommands.contract import Subcommand

__all__ = ["SendMessage"]


class SendMessage(Subcommand):
    """Puts one message on a channel, or on the channels of a group's members."""

    name = "send"
    help = "Send one message to a channel, a client or a group."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "channel", metavar="CHANNEL", help="A channel, a reply channel, or a group."
        )
        parser.add_argument(
            "content",
            metavar="JSON",
            help="""The message, such as '{"text": "hello"}'.""",
        )
        parser.add_argument(
            "--group", action="store_true", help="CHANNEL is the name of a group."
        )
        parser.add_argument(
            "--expiry",
            type=float,
            metavar="SECONDS",
            help="Drop the message when nobody took it by then; not for groups.",
        )
        parser.add_argument(
            "--unrouted",
            action="store_true",
            help="Send although no route takes the channel, and so no worker listens.",
        )

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Send, and say what became of it."""
        content = _content(options["content"])
        assembly = assemble()
        refuse_memory_layer(assembly, "This command", "a worker")
        operation = _operation(assembly, content, options)
        try:
            assembly.layer.send_many([operation])
            where = f"channel {options['channel']}"
            if options["group"]:
                count = assembly.layer.group_count(options["channel"])
                members = "member" if count == 1 else "members"
                where = f"group {options['channel']}, which has {count} {members}"
        finally:
            assembly.layer.close()
        console.stdout.write(f"sent to {where}")


def _content(text: str) -> Content:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{text!r} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise CommandError(
            f'a message is a JSON object, such as {{"text": "hello"}}, not {text!r}'
        )
    return content


def _operation(
    assembly: Assembly, content: Content, options: dict[str, Any]
) -> Operation:
    name, limit = options["channel"], assembly.settings.max_content
    expiry = options["expiry"]
    if expiry is not None and not 0 < expiry < math.inf:
        raise CommandError("--expiry must be a number of seconds above zero")
    try:
        encoded = encode_content(content, limit)
    except TypeError as error:
        raise CommandError(str(error)) from None
    if options["group"]:
        if expiry is not None:
            raise CommandError("--expiry is not for groups")
        return GroupSend(check_group(name), encoded)
    check_channel(name)
    if not options["unrouted"] and "!" not in name and "?" not in name:
        _check_routed(assembly, name)
    return Send(name, encoded, expiry)


def _check_routed(assembly: Assembly, name: str) -> None:
    routed = assembly.router.channels()
    if name in routed:
        return
    close = nearest(name, routed)
    hint = f" Did you mean {close!r}?" if close else ""
    raise CommandError(
        f"No route takes {name!r}.{hint} --unrouted sends all the same, "
        "--group sends to a group."
    )
