"""Keywords and phone numbers, as people and vendors write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.settings import read_section
from fairway.kit import ConfigurationError
from fairway.plugins.sms.keywords import HELP, START, STOP, WORDS, Keywords
from fairway.plugins.sms.numbers import begins_like, is_number, normalized
from fairway.plugins.sms.spec import SmsConfig

ALL = [(word, keyword) for keyword, words in WORDS.items() for word in words]
around = st.text(st.sampled_from(" \t\n.,!?\"'-*…»"), max_size=5)


@given(st.sampled_from(ALL), around, around, st.randoms(use_true_random=False))
def test_case_and_punctuation_do_not_matter(
    pair: tuple[str, str], before: str, after: str, random: object
) -> None:
    word, keyword = pair
    mixed = "".join(
        random.choice((c.lower(), c.upper()))  # type: ignore[attr-defined]
        for c in word
    )

    assert Keywords().find(f"{before}{mixed}{after}") == keyword


@given(st.text())
def test_nothing_but_the_words_themselves_is_a_keyword(text: str) -> None:
    words = Keywords()
    if not words.find(text):
        return
    assert any(word.casefold() in text.casefold() for word, _ in ALL) or not (
        text.isascii()
    )


@pytest.mark.parametrize(
    "text", ["", "...", "please stop", "stop it", "no yes", "s t o p", "1"]
)
def test_a_sentence_is_no_keyword(text: str) -> None:
    assert Keywords().find(text) == ""


def test_another_language_has_its_own_words() -> None:
    words = Keywords({STOP: ["SLUTA", "Avsluta"], HELP: ["Hjälp!"]})

    assert words.find("sluta.") == STOP
    assert words.find("HJÄLP") == words.find("hja\u0308lp") == HELP
    assert words.find("stop") == ""
    assert words.find("start") == START


def test_a_shared_word_means_stop() -> None:
    assert Keywords({STOP: ["end"], START: ["end"]}).find("END") == STOP


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+46701234567", "+46701234567"),
        (" +46 (70) 123-45.67 ", "+46701234567"),
        ("0046 70 123 45 67", "+46701234567"),
        ("+1 555 010 0000", "+15550100000"),
    ],
)
def test_a_number_is_written_one_way(written: str, number: str) -> None:
    assert normalized(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "0701234567",
        "46701234567",
        "+0701234567",
        "+46",
        "+1234567890123456",
        "+4670123456x",
        "ACME",
        "+46701234567\n+4670",
        "+٤٦٧٠١٢٣٤٥٦٧",
    ],
)
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no phone number"):
        normalized(written)


@given(st.text())
def test_any_text_is_a_number_or_an_error(text: str) -> None:
    try:
        number = normalized(text)
    except ValueError:
        return
    assert is_number(number)
    assert normalized(number) == number


def test_the_sender_is_the_one_most_like_the_number() -> None:
    ours = ["+15550100000", "+46700000000", "+46800000000", "ACME"]

    assert begins_like("+46812345678", ours) == "+46800000000"
    assert begins_like("+46712345678", ours) == "+46700000000"
    assert begins_like("+49301234567", ours) == "+46700000000"
    assert begins_like("+46701234567", ["ACME", "EMCA"]) == "ACME"
    assert begins_like("+46701234567", []) is None


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ({"sender": ["+12x"]}, r'"sender".*\+12x'),
        ({"sender": [""]}, '"sender"'),
        ({"prefixes": ["46"]}, '"prefixes".*46'),
        ({"path": "/sms"}, '"path"'),
        ({"daily_budget": 0}, '"daily_budget".*above zero'),
        ({"timeout": -1.0}, '"timeout".*above zero'),
        ({"keywords": {"halt": ["x"]}}, '"keywords".*halt'),
        ({"auth_tokn": "x"}, "auth_token"),
    ],
)
def test_a_wrong_setting_is_named(section: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        read_section(section, SmsConfig, 'FAIRWAY["PLUGINS"]["sms"]')


def test_secrets_of_third_parties_do_not_show() -> None:
    config = read_section({"secrets": {"key": "s3cret"}}, SmsConfig, "sms")

    assert config.secrets["key"].reveal() == "s3cret"
    assert "s3cret" not in repr(config)
