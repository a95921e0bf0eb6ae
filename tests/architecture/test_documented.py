"""Whatever can be listed stands in the reference."""

from __future__ import annotations

import argparse
import re

import msgspec
import pytest

from fairway.core import exceptions
from fairway.core.assembly import Assembly
from fairway.core.drops import Drop
from fairway.core.plugin.host import Refusal
from fairway.core.plugin.spec import ProtocolSpec
from fairway.core.settings import Limits, Settings
from fairway.testing import pytest_plugin
from tests.architecture.manual import extension, page, reference, section, undocumented
from tests.architecture.tree import PACKAGE, ROOT, sources

tables = extension("tables")
SPECS: list[ProtocolSpec] = tables.specs()
FIXTURES = {name for name in vars(pytest_plugin) if name.startswith("fairway_")}
COMMANDS: dict[str, argparse.ArgumentParser] = tables.commands()

each_protocol = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def test_every_setting_is_documented() -> None:
    names = {field.encode_name for field in msgspec.structs.fields(Settings)}

    assert undocumented(names, page("settings")) == set()


def test_every_limit_is_documented() -> None:
    names = {field.name for field in msgspec.structs.fields(Limits)}

    assert undocumented(names, section(page("settings"), "Limits")) == set()


@each_protocol
def test_every_setting_of_a_plugin_is_documented_with_its_meaning(
    spec: ProtocolSpec,
) -> None:
    text = section(page("settings"), f"`{spec.name}`")
    names = {field.name for field in msgspec.structs.fields(spec.config)} - {"limits"}

    assert undocumented(names, text) == set()
    assert not re.search(r"\|  \|$", text, re.MULTILINE)


@each_protocol
def test_every_event_is_documented(spec: ProtocolSpec) -> None:
    names = {event.channel for event in spec.events}

    assert undocumented(names, section(page("protocols"), f"`{spec.name}`")) == set()


@each_protocol
def test_every_key_of_an_event_has_a_meaning(spec: ProtocolSpec) -> None:
    text = section(page("protocols"), f"`{spec.name}`")
    keys = {key for event in spec.events for key in event.keys}

    assert described(text, "key of an event") == keys


@each_protocol
def test_every_reply_key_has_a_meaning(spec: ProtocolSpec) -> None:
    text = section(page("protocols"), f"`{spec.name}`")

    assert described(text, "key of a reply") == set(spec.replies)


@each_protocol
def test_every_protocol_is_in_the_matrix(spec: ProtocolSpec) -> None:
    assert f"| `{spec.name}` |" in page("matrix")


def described(text: str, title: str) -> set[str]:
    """Return the keys that have a meaning in the table below a title."""
    rows = re.search(rf"^\| {title} \| meaning \|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", rows[1], re.M) if rows else ())


def test_every_key_of_the_envelope_has_a_meaning() -> None:
    keys = {"reply_channel", "peer", "protocol", "client", "path", "query_string"}
    keys |= {"headers", "scheme", "server", "order", "first", "request_id"}
    text = section(page("protocols"), "The envelope")

    assert described(text, "key") == keys


def test_every_hook_is_documented_with_its_arguments() -> None:
    text = page("hooks")

    missing = [
        name
        for name, hook in tables.hooks().items()
        if extension("source").signature_of(hook) not in text
    ]

    assert missing == []


@pytest.mark.parametrize("hook", tables.hooks())
def test_every_hook_has_a_section_for_authors_and_a_test_of_its_name(hook: str) -> None:
    guide = (ROOT / "docs" / "plugins" / "hooks.md").read_text(encoding="utf-8")
    tests = (ROOT / "tests/manual/plugins/test_hooks.py").read_text(encoding="utf-8")

    assert len(section(guide, f"`{hook}`").strip()) > 50
    assert re.search(rf"^def test_{hook}\(", tests, re.MULTILINE)


def test_every_error_is_documented() -> None:
    names = {name for name in exceptions.__all__ if name[0].isupper()}
    text = page("errors")

    assert [name for name in names if f"exceptions.{name}\n" not in text] == []
    assert names - set(re.findall(r"^[│├└─ ]*(\w+)", text, re.MULTILINE)) == set()


@pytest.mark.parametrize("codes", [Drop, Refusal], ids=["drops", "refusals"])
def test_every_reason_code_is_documented(codes: type[Drop] | type[Refusal]) -> None:
    assert undocumented({str(code) for code in codes}, page("errors")) == set()


def test_every_system_check_is_documented() -> None:
    found = {
        number
        for path in sources()
        for number in re.findall(
            r"id=f?\"([\w.]+\.[EWI]\d{3})\"", path.read_text(encoding="utf-8")
        )
    }

    assert found
    assert undocumented(found, page("errors")) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_of_a_command_is_documented(name: str) -> None:
    text = section(page("commands"), f"`{name}`")
    actions = tables.own_actions(COMMANDS[name])

    missing = [
        option
        for action in actions
        for option in action.option_strings
        if undocumented({option}, text)
    ]

    assert missing == []


def test_every_table_of_the_command_fairway_is_documented() -> None:
    (choices,) = (
        action.choices
        for action in tables.own_actions(COMMANDS["fairway"])
        if action.choices
    )

    text = section(page("commands"), "`fairway`")

    assert undocumented(set(choices), text) == set()


def test_every_scheme_of_a_channel_layer_is_documented() -> None:
    schemes = Assembly(Settings(plugins={})).plugins.channel_layers()
    names = {f"{scheme}://" for scheme in schemes}

    assert undocumented(names, section(page("settings"), "Channel layers")) == set()


def test_a_missing_entry_is_noticed() -> None:
    names = {"messages_per_second"}
    text = section(page("settings"), "Limits")
    without = re.sub(r"^.*messages_per_second.*\n", "", text, flags=re.MULTILINE)

    assert undocumented(names, text) == set()
    assert undocumented(names, without) == names


def test_every_fixture_is_documented() -> None:
    assert undocumented(FIXTURES, page("testing")) == set()


def test_the_reference_names_no_hook_or_fixture_that_does_not_exist() -> None:
    named = set(re.findall(r"\bfairway_\w+", reference()))

    assert named - set(tables.hooks()) - FIXTURES == set()


def test_every_option_of_the_browser_client_is_documented() -> None:
    source = (PACKAGE / "static/fairway/client.js").read_text(encoding="utf-8")
    options = source.partition("@typedef {object} Options")[2].partition("*/")[0]
    names = set(re.findall(r"@property \{.*\} (\w+)", options))

    assert names
    assert undocumented(names, section(page("client"), "Options")) == set()


def test_every_event_of_the_browser_client_is_documented() -> None:
    source = (PACKAGE / "static/fairway/client.js").read_text(encoding="utf-8")
    names = set(
        re.findall(r'#tell\("(\w+)"|new (?:Message|Close)Event\("(\w+)"', source)
    )

    told = {name for pair in names for name in pair if name}

    assert told
    assert undocumented(told, section(page("client"), "Events")) == set()
