"""What Twilio calls, signed by its own library, and what is wrong with it."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from fairway.kit import ConfigurationError, Secret
from fairway.plugins.sms.provider import Incoming, Status
from tests.plugins.sms.twilio.api import ACCOUNT, TOKEN
from tests.plugins.sms.twilio.calls import FIELDS, Vendor, request, signed

PUBLIC = "https://example.com"
TEXT = Incoming(
    id=FIELDS["MessageSid"],
    sender="+46701234567",
    to="+15005550006",
    text="Hej på dig & 100 %",
)


def reached(url: str) -> str:
    """Return where a request to a public URL ends behind a proxy."""
    split = urlsplit(url)
    return f"http://10.0.0.1:8000{split.path}" + (
        f"?{split.query}" if split.query else ""
    )


@pytest.mark.parametrize("json_body", [False, True])
@pytest.mark.parametrize("place", ["/sms/", "/sms/incoming/", "/sms/incoming"])
@pytest.mark.parametrize("query", ["", "?a=1&b=%20x", "?a"])
@pytest.mark.parametrize(
    ("public", "called"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com:443"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com:8443", "https://example.com:8443"),
    ],
)
def test_a_text_signed_for_the_public_url_is_taken(
    public: str, called: str, query: str, place: str, json_body: bool
) -> None:
    vendor = Vendor(public_url=public)
    url, headers, body = signed(called + place + query, FIELDS, json_body=json_body)

    answer = vendor.call(request(reached(url), headers), body)

    assert vendor.texts == [TEXT]
    assert answer.status == 200
    assert answer.headers[b"content-type"].startswith(b"text/xml")
    assert b"<Response></Response>" in answer.body


@pytest.mark.parametrize(
    ("called", "seen", "server"),
    [
        ("http://example.com/sms/", "http://example.com/sms/", ("127.0.0.1", 80)),
        ("https://example.com/sms/", "https://example.com/sms/", ("::1", 8000)),
        (
            "https://example.com:443/sms/",
            "https://example.com/sms/",
            ("127.0.0.1", None),
        ),
        ("http://a.example.com:8000/sms/", "http://a.example.com:8000/sms/", ("", 1)),
        # A proxy that cuts the port off Host and names it in X-Forwarded-Port.
        ("https://example.com:8443/sms/", "https://example.com/sms/", ("", 8443)),
        ("http://[::1]:8000/sms/", "http://[::1]:8000/sms/", ("::1", 8000)),
    ],
)
def test_without_public_url_the_request_says_where_it_went(
    called: str, seen: str, server: tuple[str, int | None]
) -> None:
    vendor = Vendor(hosts=(".example.com", "[::1]"))
    _, headers, body = signed(called, FIELDS)

    answer = vendor.call(request(seen, headers, server=server), body)

    assert (answer.status, vendor.texts) == (200, [TEXT])


@pytest.mark.parametrize(
    "host", ["evil.org", "example.com.evil.org", "notexample.com", "", "a@b", "x:99999"]
)
def test_without_public_url_a_host_that_is_not_ours_is_refused(host: str) -> None:
    vendor = Vendor(hosts=(".example.com",))
    _, headers, body = signed(f"https://{host}/sms/", FIELDS)

    head = request("https://example.com/sms/", headers | {"Host": host})
    answer = vendor.call(head, body)

    assert (answer.status, vendor.happened) == (403, 0)


def wrong_token() -> tuple[str, dict[str, str], bytes]:
    return signed(f"{PUBLIC}/sms/", FIELDS, token="another")


def no_signature() -> tuple[str, dict[str, str], bytes]:
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS)
    del headers["X-Twilio-Signature"]
    return url, headers, body


def other_place() -> tuple[str, dict[str, str], bytes]:
    _, headers, body = signed(f"{PUBLIC}/sms/status/", FIELDS)
    return f"{PUBLIC}/sms/", headers, body


def other_site() -> tuple[str, dict[str, str], bytes]:
    return signed("https://example.org/sms/", FIELDS)


def other_query() -> tuple[str, dict[str, str], bytes]:
    url, headers, body = signed(f"{PUBLIC}/sms/?a=1", FIELDS)
    return url.replace("a=1", "a=2"), headers, body


def unsigned_json() -> tuple[str, dict[str, str], bytes]:
    """The signature of a URL alone must not do for any JSON."""
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS, json_body=True)
    bare = url.partition("?")[0]
    headers["X-Twilio-Signature"] = RequestValidator(TOKEN).compute_signature(bare, {})
    return bare, headers, body


def other_json() -> tuple[str, dict[str, str], bytes]:
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS, json_body=True)
    return url, headers, body.replace(b"4670", b"4671")


def json_that_is_no_text() -> tuple[str, dict[str, str], bytes]:
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS, json_body=True)
    return url, headers, body + b"\xff"


def form_as_another_type() -> tuple[str, dict[str, str], bytes]:
    url, headers, _ = signed(f"{PUBLIC}/sms/", {})
    return url, headers | {"Content-Type": "text/plain"}, b"From=%2B1&To=%2B2"


def hash_of_a_form() -> tuple[str, dict[str, str], bytes]:
    """JSON's way of signing does not let an unsigned form through."""
    url, headers, _ = signed(f"{PUBLIC}/sms/", FIELDS, json_body=True)
    kind = "application/x-www-form-urlencoded"
    return url, headers | {"Content-Type": kind}, b"From=%2B1&To=%2B2&MessageSid=SM1"


def unknown_algorithm() -> tuple[str, dict[str, str], bytes]:
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS)
    settings = {"X-Twilio-Webhooks-Signature-Settings": "algorithm=none"}
    return url, headers | settings, body


def unknown_key() -> tuple[str, dict[str, str], bytes]:
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS)
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=other,algorithm=HMAC_SHA1"}
    return url, headers | settings, body


@pytest.mark.parametrize(
    "make",
    [
        wrong_token,
        no_signature,
        other_place,
        other_site,
        other_query,
        unsigned_json,
        other_json,
        json_that_is_no_text,
        form_as_another_type,
        hash_of_a_form,
        unknown_algorithm,
        unknown_key,
    ],
)
def test_a_wrong_signature_is_refused_and_logged(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    vendor = Vendor(public_url=PUBLIC)
    url, headers, body = make()

    with caplog.at_level(logging.DEBUG):
        answer = vendor.call(request(reached(url), headers), body)

    assert (answer.status, vendor.happened) == (403, 0)
    (drop,) = vendor.host.drops
    assert drop.reason == "signature"
    if "X-Twilio-Signature" in headers:
        assert PUBLIC in drop.detail
    assert TOKEN not in drop.detail + answer.body.decode() + caplog.text


def test_keys_and_algorithms_of_twilio_9_13_are_known() -> None:
    vendor = Vendor(public_url=PUBLIC, secrets={"webhooks_key_1": Secret("shared")})
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS)
    headers["X-Twilio-Signature"] = RequestValidator("shared").compute_signature(
        url, FIELDS, "HMAC_SHA256"
    )
    settings = "key=webhooks_key_1,algorithm=HMAC_SHA256"
    headers["X-Twilio-Webhooks-Signature-Settings"] = settings

    answer = vendor.call(request(reached(url), headers), body)

    assert (answer.status, vendor.texts) == (200, [TEXT])


@pytest.mark.standard
@given(data=st.data())
def test_a_changed_byte_changes_no_event(data: st.DataObject) -> None:
    """Whatever is taken says what was signed: every byte of the body counts."""
    vendor = Vendor(public_url=PUBLIC)
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS)
    at = data.draw(st.integers(0, len(body) - 1))
    how = data.draw(st.sampled_from(["replace", "delete", "insert"]))
    new = b"" if how == "delete" else bytes([data.draw(st.integers(0, 255))])
    changed = body[:at] + new + body[at + (how != "insert") :]

    answer = vendor.call(request(reached(url), headers), changed)

    if answer.status == 200:
        assert sorted(parse_qsl(changed.decode())) == sorted(FIELDS.items())
        assert vendor.texts == [TEXT]
    else:
        assert (answer.status, vendor.happened) == (403, 0)


@pytest.mark.standard
def test_a_byte_that_is_missing_changes_no_event() -> None:
    """Also where names and values, joined as they are signed, read the same."""
    vendor = Vendor(public_url=PUBLIC)
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS)
    head = request(reached(url), headers)

    answers = {
        vendor.call(head, body[:at] + body[at + 1 :]).status for at in range(len(body))
    }

    assert (answers, vendor.happened) == ({403}, 0)


@pytest.mark.standard
@given(data=st.data())
def test_a_changed_byte_of_json_is_refused(data: st.DataObject) -> None:
    vendor = Vendor(public_url=PUBLIC)
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS, json_body=True)
    at = data.draw(st.integers(0, len(body) - 1))
    changed = bytearray(body)
    changed[at] = data.draw(st.integers(0, 255).filter(lambda new: new != body[at]))

    answer = vendor.call(request(reached(url), headers), bytes(changed))

    assert (answer.status, vendor.happened) == (403, 0)


@pytest.mark.standard
@given(data=st.data())
def test_a_changed_character_of_url_or_signature_is_refused(
    data: st.DataObject,
) -> None:
    vendor = Vendor(public_url=PUBLIC)
    url, headers, body = signed(f"{PUBLIC}/sms/incoming/?tag=abc", FIELDS)
    signature = headers["X-Twilio-Signature"]
    letter = st.sampled_from("abcXYZ0189+/=&%")
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(signature) - 1))
        new = data.draw(letter.filter(lambda one: one != signature[at]))
        headers["X-Twilio-Signature"] = signature[:at] + new + signature[at + 1 :]
    else:
        at = data.draw(st.integers(url.index("?") + 1, len(url) - 1))
        url = (
            url[:at]
            + data.draw(letter.filter(lambda one: one != url[at]))
            + (url[at + 1 :])
        )

    answer = vendor.call(request(reached(url), headers), body)

    assert (answer.status, vendor.happened) == (403, 0)


@pytest.mark.standard
@given(
    fields=st.dictionaries(st.text(min_size=1), st.text(), max_size=5),
    json_body=st.booleans(),
)
def test_whatever_people_write_is_signed_as_it_is_read(
    fields: dict[str, str], json_body: bool
) -> None:
    vendor = Vendor(public_url=PUBLIC)
    given = {k: v for k, v in fields.items() if k not in FIELDS} | FIELDS
    given["Body"] = "".join(fields.values())
    given.pop("OptOutType", None)
    url, headers, body = signed(f"{PUBLIC}/sms/", given, json_body=json_body)

    answer = vendor.call(request(reached(url), headers), body)

    assert answer.status == 200
    assert vendor.texts[0].text == given["Body"]


def test_media_and_what_twilio_took_as_opting_out_come_along() -> None:
    vendor = Vendor(public_url=PUBLIC)
    more = {
        "NumMedia": "2",
        "MediaUrl0": "https://api.twilio.com/a",
        "MediaContentType0": "image/png",
        "MediaUrl1": "https://api.twilio.com/b",
        "OptOutType": "STOP",
        "Body": "",
    }
    url, headers, body = signed(f"{PUBLIC}/sms/", FIELDS | more)

    vendor.call(request(reached(url), headers), body)

    (text,) = vendor.texts
    assert text.media == (
        ("https://api.twilio.com/a", "image/png"),
        ("https://api.twilio.com/b", ""),
    )
    assert (text.text, text.keyword) == ("", "stop")


@pytest.mark.parametrize(
    ("said", "expected", "code"),
    [
        ("queued", "queued", ""),
        ("accepted", "queued", ""),
        ("sent", "sent", ""),
        ("delivered", "delivered", ""),
        ("undelivered", "undelivered", "30003"),
        ("failed", "failed", "30007"),
        ("canceled", "failed", ""),
        ("read", "read", ""),
    ],
)
def test_a_report_tells_the_state(said: str, expected: str, code: str) -> None:
    vendor = Vendor(public_url=PUBLIC)
    fields = {
        "MessageSid": "SM1",
        "To": "+46701234567",
        "From": "+15005550006",
        "MessageStatus": said,
    } | ({"ErrorCode": code} if code else {})
    url, headers, body = signed(f"{PUBLIC}/sms/status/", fields)

    answer = vendor.call(request(reached(url), headers), body)

    assert answer.status == 200
    assert vendor.reports == [
        Status(id="SM1", to="+46701234567", status=expected, code=code)
    ]


@pytest.mark.parametrize("place", ["incoming", "status"])
def test_what_the_bus_does_not_take_is_answered_with_503(place: str) -> None:
    vendor = Vendor(public_url=PUBLIC)
    vendor.taking = False
    fields = FIELDS | {"MessageStatus": "sent"}
    url, headers, body = signed(f"{PUBLIC}/sms/{place}/", fields)

    answer = vendor.call(request(reached(url), headers), body)

    assert answer.status == 503
    assert b"retry-after" in answer.headers
    assert vendor.happened == 1


@pytest.mark.parametrize(
    ("place", "fields", "status"),
    [
        ("/sms/other/", FIELDS, 404),
        ("/sms/", {k: v for k, v in FIELDS.items() if k != "From"}, 400),
        ("/sms/", FIELDS | {"NumMedia": "99"}, 400),
        ("/sms/", FIELDS | {"NumMedia": "-1"}, 400),
        ("/sms/", FIELDS | {"NumMedia": "1"}, 400),
        ("/sms/status/", FIELDS, 400),
    ],
)
def test_signed_requests_that_say_nothing_are_refused(
    place: str, fields: dict[str, str], status: int
) -> None:
    vendor = Vendor(public_url=PUBLIC)
    url, headers, body = signed(PUBLIC + place, fields)

    answer = vendor.call(request(reached(url), headers), body)

    assert (answer.status, vendor.happened) == (status, 0)


def test_a_state_that_says_nothing_is_taken_and_left() -> None:
    vendor = Vendor(public_url=PUBLIC)
    fields = FIELDS | {"MessageStatus": "receiving"}
    url, headers, body = signed(f"{PUBLIC}/sms/status/", fields)

    answer = vendor.call(request(reached(url), headers), body)

    assert (answer.status, vendor.happened) == (200, 0)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"auth_token": None}, "auth_token"),
        ({"auth_token": Secret("")}, "auth_token"),
        ({"secrets": {"SK1": Secret("")}}, "secrets"),
        ({"account_sid": ""}, "account_sid"),
        ({"public_url": "example.com"}, "public_url"),
        ({"public_url": "https://example.com/?a"}, "public_url"),
        ({"api_url": "ftp://example.com"}, "api_url"),
    ],
)
def test_settings_that_cannot_work_are_named(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Vendor(**{"account_sid": ACCOUNT} | settings)
