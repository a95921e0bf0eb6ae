"""Loading plugins: what is found, and what is said when it cannot be."""

from collections.abc import Iterator
from typing import Any

import pytest

from fairway.core.exceptions import (
    ConfigurationError,
    FairwayError,
    MissingExtra,
    PluginError,
    UnknownPlugin,
)
from fairway.core.plugin.hookspecs import ProcessInfo, hookimpl
from fairway.core.plugin.loading import Plugins, import_path, installed
from fairway.core.plugin.spec import Event
from fairway.core.settings import read_settings
from tests.core.plugin import lines
from tests.core.plugin.broken import specs
from tests.interfaces.samples import filters

BROKEN = "tests.core.plugin.broken"

second = lines


def load(*plugins: str, **settings: Any) -> Plugins:
    sections: dict[str, Any] = {name: {} for name in plugins}
    return Plugins(read_settings({"PLUGINS": sections, **settings}))


def error(plugin: str) -> FairwayError:
    with pytest.raises(FairwayError) as caught:
        load(plugin)
    return caught.value


@pytest.fixture
def changes() -> Iterator[dict[str, Any]]:
    yield specs.CHANGES
    specs.CHANGES.clear()


def test_a_dotted_path_names_a_plugin_by_its_last_part() -> None:
    plugins = load("tests.core.plugin.lines")

    loaded = plugins.protocols["lines"]
    assert loaded.plugin == plugins.plugin_of("lines") == "lines"
    assert plugins.settings.plugins == {"lines": {}}


def test_entry_points_name_a_plugin() -> None:
    assert "websocket" in installed()
    assert list(load("websocket").protocols) == ["websocket"]


def test_a_section_is_read_into_its_typed_form() -> None:
    plugins = Plugins(
        read_settings({"PLUGINS": {"tests.core.plugin.lines": {"longest": 9}}})
    )

    assert plugins.protocols["lines"].config == lines.Lines(longest=9)


def test_a_wrong_section_names_the_setting() -> None:
    settings = read_settings({"PLUGINS": {"tests.core.plugin.lines": {"longezt": 1}}})

    with pytest.raises(ConfigurationError) as caught:
        Plugins(settings)

    assert str(caught.value) == (
        'FAIRWAY["PLUGINS"]["lines"]["longezt"] is not a setting. '
        "Did you mean 'longest'?"
    )


def test_an_unknown_plugin_names_the_nearest() -> None:
    unknown = error("webscoket")

    assert isinstance(unknown, UnknownPlugin)
    assert unknown.nearest == "websocket"
    assert "did you mean 'websocket'?" in str(unknown)


def test_a_missing_package_names_the_extra() -> None:
    missing = error(f"{BROKEN}.missing")

    assert isinstance(missing, MissingExtra)
    assert "pip install 'fairway[missing]'" in str(missing)


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        ("misspelt", "'fairway_protocol' is no hook of fairway; did you mean "),
        ("unmarked", "'fairway_protocols' lacks @hookimpl"),
        ("arguments", "'settingz'"),
        ("raising", "fairway_protocols raised ValueError('a bug')"),
        ("importing", "cannot be imported: RuntimeError('a bug at import')"),
        ("nowhere", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_broken_plugin_is_named_with_its_fault(plugin: str, reason: str) -> None:
    broken = error(f"{BROKEN}.{plugin}")

    assert isinstance(broken, PluginError)
    assert plugin in broken.plugin
    assert reason in str(broken)


@pytest.mark.parametrize(
    "again", ["tests.core.plugin:lines", "tests.core.plugin.test_loading:second"]
)
def test_a_plugin_cannot_be_enabled_twice(again: str) -> None:
    with pytest.raises(PluginError, match="is enabled twice"):
        load("tests.core.plugin.lines", again)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"api": 2}, "was written for plugin API 2"),
        ({"name": "lines"}, r"must begin with 'lines\.'"),
        ({"events": (Event(channel="specs.a"),) * 2}, "is declared twice"),
        ({"events": (Event(channel="specs.a!"),)}, "is not a valid name"),
        ({"peers": "none", "ordering": "peer"}, "has no peers"),
    ],
)
def test_a_wrong_declaration_is_refused(
    changes: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    changes.update(change)

    with pytest.raises(FairwayError, match=reason):
        load(f"{BROKEN}.specs")


def test_two_plugins_cannot_declare_one_protocol(changes: dict[str, Any]) -> None:
    changes.update(name="lines", events=(Event(channel="lines.receive"),))

    with pytest.raises(PluginError, match="'lines' is also declared by 'lines'"):
        load("tests.core.plugin.lines", f"{BROKEN}.specs")


def test_the_rest_loads_when_settings_say_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = f"{BROKEN}.raising"

    plugins = load(broken, "tests.core.plugin.lines", STRICT_PLUGINS=False)

    assert list(plugins.protocols) == ["lines"]
    assert list(plugins.failed) == [broken]
    assert "raising is left out" in caplog.text


def test_a_declaration_that_fails_late_stops_the_start() -> None:
    plugins = load(f"{BROKEN}.late")

    with pytest.raises(PluginError, match="a bug in the mounts"):
        plugins.mounts()


def test_a_declaration_that_fails_late_is_left_out_when_settings_say_so() -> None:
    plugins = load(f"{BROKEN}.late", STRICT_PLUGINS=False)

    assert plugins.mounts() == []
    assert list(plugins.failed) == ["late"]


def test_an_exception_in_a_hook_goes_no_further(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugins = load(f"{BROKEN}.late")

    plugins.notify("fairway_worker_started", process=ProcessInfo("worker", "w"))

    assert "hook fairway_worker_started of late failed" in caplog.text


def test_filters_keep_the_order_of_the_settings() -> None:
    plugins = load("tests.interfaces.samples.filters")

    assert plugins.event_filters() == (("filters", filters.shout),)
    assert plugins.reply_filters() == (("filters", filters.shout),) * 2
    assert load().event_filters() == ()


def test_hooks_get_only_the_arguments_that_they_name() -> None:
    heard: list[str] = []

    class Listener:
        @hookimpl
        def fairway_consumer_finished(self, channel: str) -> None:
            heard.append(channel)

    plugins = Plugins(read_settings({"PLUGINS": {}}), {"listener": Listener()})
    plugins.notify(
        "fairway_consumer_finished", channel="x", content={}, peer=None, error=None
    )

    assert heard == ["x"]
    assert plugins.listens("fairway_consumer_finished")
    assert not plugins.listens("fairway_consumer_started")


@pytest.mark.parametrize(
    "path", ["fairway.core.names:check_group", "fairway.core.names.check_group"]
)
def test_a_path_leads_to_an_object(path: str) -> None:
    assert import_path(path).__name__ == "check_group"


def test_a_path_to_nothing_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="has no 'chek_group'"):
        import_path("fairway.core.names:chek_group")
