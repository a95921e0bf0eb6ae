"""What a protocol logs: its name in every line, its secrets in none."""

import logging

import pytest

from fairway.core.settings import Config, Secret
from fairway.interfaces.logs import protocol_log


class Provider(Config, frozen=True, kw_only=True):
    token: Secret
    name: str = "provider"


def test_every_line_names_the_protocol(caplog: pytest.LogCaptureFixture) -> None:
    log = protocol_log("sms", Provider(token=Secret("")))

    log.warning("sent %d", 3)

    assert [record.getMessage() for record in caplog.records] == ["[sms] sent 3"]


def test_a_secret_shows_in_no_line(caplog: pytest.LogCaptureFixture) -> None:
    log = protocol_log("sms", Provider(token=Secret("s3cret")))

    with caplog.at_level(logging.DEBUG):
        log.info("token %s of %s", "s3cret", "provider")
        try:
            raise ValueError("s3cret is wrong")
        except ValueError:
            log.exception("failed")

    assert "s3cret" not in caplog.text
    assert "token *** of provider" in caplog.text
    assert "ValueError: *** is wrong" in caplog.text


def test_a_secret_inside_a_dict_shows_in_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Several(Config, frozen=True, kw_only=True):
        secrets: dict[str, Secret]

    log = protocol_log("sms", Several(secrets={"key": Secret("s3cret")}))

    log.warning("it is s3cret")

    assert "it is ***" in caplog.text


def test_another_section_replaces_the_former_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    protocol_log("sms", Provider(token=Secret("former")))
    log = protocol_log("sms", Provider(token=Secret("latter")))

    log.warning("former and latter")

    assert "former and ***" in caplog.text
