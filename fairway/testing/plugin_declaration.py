"""The conformance suite of plugins, part 1: what a plugin declares."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fairway.core.exceptions import ConfigurationError
from fairway.core.names import check_channel
from fairway.core.plugin.spec import API_VERSION
from fairway.core.settings import read_section
from fairway.testing.plugin_case import PluginCase

__all__ = ["DeclarationConformance"]

_FORMS = {str, bytes, bool, int, float, list, dict}
"""What can travel in a message."""
_ENVELOPE = {"reply_channel", "peer", "protocol", "client", "path", "order", "first"}


class DeclarationConformance(PluginCase):
    """The spec, and the section of the settings."""

    def test_it_loads_from_settings(self) -> None:
        loaded = self.load()

        assert loaded.spec.api == API_VERSION
        assert self.transport in loaded.spec.transports

    def test_the_spec_is_frozen_data(self) -> None:
        spec = self.load().spec

        with pytest.raises(AttributeError):
            spec.name = "other"  # type: ignore[misc]

    def test_its_events_are_channels_of_its_own(self) -> None:
        spec = self.load().spec
        channels = [check_channel(event.channel) for event in spec.events]

        assert channels, "a protocol without events maps nothing"
        assert len(set(channels)) == len(channels)
        assert all(channel.startswith(f"{spec.name}.") for channel in channels)

    def test_its_events_say_what_they_hold_and_how_much(self) -> None:
        for event in self.load().spec.events:
            assert set(event.keys.values()) <= _FORMS, event.channel
            assert not _ENVELOPE & set(event.keys), "the host adds these itself"
            assert event.capacity > 0
            assert event.patience >= 0

    def test_its_replies_are_of_forms_that_travel(self) -> None:
        assert set(self.load().spec.replies.values()) <= _FORMS

    def test_its_failure_and_unrouted_replies_use_declared_keys(self) -> None:
        spec = self.load().spec

        for content in (spec.failure, spec.unrouted):
            assert set(content or ()) <= set(spec.replies)

    def test_the_config_names_an_unknown_key_and_the_nearest_one(self) -> None:
        form = self.load().spec.config
        names = {field.name for field in msgspec.structs.fields(form)}

        for name in sorted(names):
            with pytest.raises(ConfigurationError, match=f"{name}_x") as caught:
                read_section({**self.section, f"{name}_x": 1}, form, "section")
            assert caught.value.nearest in names

    def test_the_config_names_the_key_of_a_value_of_a_wrong_type(self) -> None:
        form = self.load().spec.config

        for field in msgspec.structs.fields(form):
            if field.type is Any:
                continue
            wrong = {**self.section, field.name: object()}
            with pytest.raises(ConfigurationError, match=field.name):
                read_section(wrong, form, "section")
