"""The setting FAIRWAY: every mistake names the setting and the nearest valid name."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.exceptions import ConfigurationError
from fairway.core.settings import (
    Config,
    Limits,
    Secret,
    Settings,
    read_section,
    read_settings,
)


class _Pager(Config, frozen=True, kw_only=True):
    bind: list[str]
    token: Secret = Secret("")
    retries: int = 3

    def check(self) -> None:
        if self.retries < 0:
            raise ConfigurationError("retries", "must not be negative")


def test_an_empty_dict_gives_the_defaults() -> None:
    settings = read_settings({})

    assert settings == Settings()
    assert settings.layer == "memory://"
    assert set(settings.plugins) == {"http"}


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        (
            {"LAYERS": "memory://"},
            "FAIRWAY[\"LAYERS\"] is not a setting. Did you mean 'LAYER'?",
        ),
        (
            {"LIMITS": {"message_per_second": 5}},
            (
                'FAIRWAY["LIMITS"]["message_per_second"] is not a setting. '
                "Did you mean 'messages_per_second'?"
            ),
        ),
        (
            {"THREADS": "8"},
            'FAIRWAY["THREADS"] is wrong: expected `int`, got `str`.',
        ),
        (
            {"PLUGINS": {"http": 5}},
            'FAIRWAY["PLUGINS"]["http"] must be a dict, not int.',
        ),
    ],
)
def test_a_mistake_names_the_setting(given_: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(given_)

    assert str(caught.value) == text


def test_a_missing_key_of_a_section_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_section({}, _Pager, 'FAIRWAY["PLUGINS"]["pager"]')

    assert str(caught.value) == 'FAIRWAY["PLUGINS"]["pager"]["bind"] is required.'


def test_a_section_checks_that_its_values_go_together() -> None:
    with pytest.raises(ConfigurationError, match="must not be negative"):
        read_section({"bind": [], "retries": -1}, _Pager, "pager")


def test_a_secret_shows_neither_in_repr_nor_in_the_section() -> None:
    section = read_section({"bind": [], "token": "hush"}, _Pager, "pager")

    assert section.token.reveal() == "hush"
    assert "hush" not in repr(section)
    assert "hush" not in f"{section.token}"


def test_a_wrong_secret_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_section({"bind": [], "token": ["hush"]}, _Pager, "pager")

    assert "hush" not in str(caught.value)


def test_every_limit_is_finite_by_default() -> None:
    limits = Limits()

    assert all(0 < value < float("inf") for value in vars_of(limits).values())


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_any_dict_is_read_or_refused_with_our_error(given_: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigurationError):
        read_settings(given_)


def vars_of(limits: Limits) -> dict[str, float]:
    return {name: getattr(limits, name) for name in limits.__struct_fields__}
