"""`manage.py fairway send` reaches consumers of a real worker over a real Redis."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command, load_command_class
from django.core.management.base import CommandError
from django.test import override_settings

from fairway import Group, Message, route
from fairway.core.assembly import assemble
from fairway.core.bus.layer import ChannelLayer
from fairway.core.bus.operations import Send
from fairway.core.worker import Worker
from tests.support.redis import RedisServer

noted: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()


def note(message: Message) -> None:
    noted.put(dict(message.content))


@pytest.fixture
def site(redis_server: RedisServer) -> Iterator[ChannelLayer]:
    """The layer of a site with a worker that listens to `lobby.note`."""
    settings = {
        "LAYER": redis_server.url,
        "PLUGINS": {"http": {}},
        "ROUTING": [route("lobby.note", note)],
    }
    with override_settings(FAIRWAY=settings):
        assembly = assemble()
        assembly.layer.flush()
        assembly.install()
        worker = Worker(assembly.layer, assembly.router, assembly.plugins, threads=1)
        worker.start()
        yield assembly.layer
        worker.stop()
        worker.join(10)
        assembly.layer.close()


def _send(*arguments: str) -> str:
    out = StringIO()
    call_command("fairway", "send", *arguments, stdout=out, no_color=True)
    return out.getvalue()


@pytest.mark.standard
def test_a_message_reaches_its_consumer(site: ChannelLayer) -> None:
    assert (
        _send("lobby.note", '{"text": "hi", "n": 1}') == "sent to channel lobby.note\n"
    )

    assert noted.get(timeout=10) == {"text": "hi", "n": 1}


@pytest.mark.standard
def test_a_message_to_a_group_reaches_its_members(site: ChannelLayer) -> None:
    Group("crew").add("lobby.note")

    text = _send("crew", '{"text": "all"}', "--group")

    assert text == "sent to group crew, which has 1 member\n"
    assert noted.get(timeout=10) == {"text": "all"}


@pytest.mark.standard
def test_a_full_channel_is_told(site: ChannelLayer) -> None:
    site.send_many([Send("other.note", b"\x80")] * 100)

    with pytest.raises(CommandError, match=r"other\.note"):
        _send("other.note", "{}", "--unrouted")


REDIS = "redis://:hush-hush@127.0.0.1:1/0"
MISTAKES: list[tuple[list[str], str]] = [
    (["http.reqest", "{}"], "Did you mean 'http.request'"),
    (["http.request", "{"], "is no JSON"),
    (["http.request", "[]"], "a message is a JSON object"),
    (["a b", "{}", "--group"], "a b"),
    (["a", "{}", "--group", "--expiry", "1"], "not for groups"),
    (["http.request", "{}", "--expiry", "nan"], "above zero"),
    (["http.request", "{}", "--expiry", "inf"], "above zero"),
    (["http.request", "{}", "--expiry", "0"], "above zero"),
    (["http.request", '{"n": 99999999999999999999}'], "content"),
    (["http.request", "{}"], "redis://127.0.0.1:1/0"),
]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [pytest.param(*row, id=" ".join(row[0])) for row in MISTAKES],
)
def test_a_mistake_is_told_in_one_message(arguments: list[str], named: str) -> None:
    with (
        override_settings(FAIRWAY={"LAYER": REDIS, "PLUGINS": {"http": {}}}),
        pytest.raises(CommandError, match=named) as told,
    ):
        _send(*arguments)
    assert "hush" not in str(told.value)


def test_the_memory_layer_has_nobody_to_send_to() -> None:
    with (
        override_settings(FAIRWAY={"LAYER": "memory://"}),
        pytest.raises(CommandError, match="cannot share memory"),
    ):
        _send("http.request", "{}")


def test_a_mistyped_subcommand_is_told_with_the_nearest_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        load_command_class("fairway", "fairway").run_from_argv(
            ["manage.py", "fairway", "sned"]
        )

    assert "Did you mean 'send'" in capsys.readouterr().err
