"""Settings become layers, plugins and what channels may hold."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from fairway.core import assembly
from fairway.core.bus import registry
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.record import VERSION
from fairway.core.settings import read_settings


def _assemble(**fairway: Any) -> assembly.Assembly:
    with override_settings(FAIRWAY=fairway):
        return assembly.assemble()


def test_the_default_layer_is_memory() -> None:
    assert isinstance(_assemble().layer, MemoryLayer)


def test_an_unknown_scheme_names_the_nearest_one() -> None:
    made = _assemble(LAYER="redus://localhost")

    with pytest.raises(ValueError, match="Did you mean 'redis'"):
        _ = made.layer


def test_a_mistake_is_an_improperly_configured_of_django() -> None:
    with pytest.raises(ImproperlyConfigured, match="Did you mean 'LAYER'"):
        _assemble(LAYR="memory://")


def test_without_the_setting_the_project_is_not_configured() -> None:
    with override_settings(FAIRWAY=None):
        assert not assembly.is_configured()
        with pytest.raises(ImproperlyConfigured):
            assembly.assemble()


def test_capacity_and_expiry_come_from_patterns_then_from_events() -> None:
    settings = read_settings(
        {
            "PLUGINS": {"http": {}, "websocket": {}},
            "CAPACITIES": {"jobs.*": 7},
            "EXPIRIES": {"jobs.*": 1.5},
        }
    )
    policy = assembly.make_policy(settings, assembly.Assembly(settings).plugins)

    assert policy.capacity("jobs.thumbnails") == 7
    assert policy.expiry("jobs.thumbnails") == 1.5
    assert policy.capacity("http.request") == 1_000
    assert policy.capacity("websocket.receive") == 10_000
    assert policy.expiry("websocket.receive") == assembly.ORDERED_EXPIRY
    assert policy.capacity("mine") == assembly.USER_CAPACITY
    assert policy.expiry("mine") == assembly.EXPIRY


def test_what_holds_for_clients_that_come_and_go_is_not_kept_for_each() -> None:
    policy = _assemble(EXPIRIES={"*": 3.0}, CAPACITIES={"http.credit*": 5}).layer.policy
    policy.expiry("interface.abc!def")
    policy.capacity("http.credit?abc")
    tracemalloc.start()

    for number in range(3_000):
        assert policy.expiry(f"interface.abc!{number}") == 3.0
        assert policy.capacity(f"http.credit?{number}") == 5

    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20_000


def test_a_command_may_replace_values_of_a_section() -> None:
    with override_settings(FAIRWAY={"PLUGINS": {"http": {"bind": ["tcp:1"]}}}):
        made = assembly.assemble(sections={"http": {"bind": ["tcp:2"]}})

    assert made.settings.plugins["http"]["bind"] == ["tcp:2"]


def test_protocols_learn_what_django_allows_while_debugging() -> None:
    made = _assemble()

    with override_settings(DEBUG=True, ALLOWED_HOSTS=[]):
        assert "127.0.0.1" in made.site.allowed_hosts
        assert made.site.debug


def test_the_version_on_the_bus_can_be_an_older_one_that_is_still_read() -> None:
    assert _assemble().layer.policy.version == VERSION
    assert _assemble(BUS_VERSION=1).layer.policy.version == 1
    for unknown in (0, 99):
        with pytest.raises(
            ImproperlyConfigured, match=r'"BUS_VERSION"\] must be 1 or 2'
        ):
            _assemble(BUS_VERSION=unknown)


def test_an_installed_assembly_gives_channels_their_layer() -> None:
    made = _assemble()

    made.install()

    assert registry.get_layer() is made.layer
    registry.reset()
