"""Whether a request comes from Twilio: the check of its signature.

Twilio signs the URL that it called and the fields of the form, or for JSON the URL with
a hash of the body (https://www.twilio.com/docs/usage/security). What is signed is the
URL as Twilio knows it, so proxies in front must be accounted for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from fairway.kit import RemoteProtocolError, RequestHead, Secret

__all__ = ["BadSignature", "Signatures"]

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_FORBIDDEN = 403
_BAD_REQUEST = 400
_MAX_FIELDS = 1_000
_BODY_HASH = "bodySHA256"


class BadSignature(RemoteProtocolError):
    """A request is not from Twilio, or not for this address.

    Attributes:
        inputs: for the log, from what the signature was computed; never the token.
    """

    def __init__(self, why: str, inputs: str = "") -> None:
        self.inputs = f"{why}; {inputs}" if inputs else why
        super().__init__("the signature does not fit", status=_FORBIDDEN)


class _Form(dict[str, list[str]]):
    """Fields with all their values, as `RequestValidator` reads them."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


class Signatures:
    """Checks requests.

    Args:
        token: the account's.
        keys: secrets of further keys by the name that requests give them.
        public_url: the site's address as Twilio knows it; None for that which a request
            names.
        allowed_hosts: names that a request may give then, as in `ALLOWED_HOSTS`.
    """

    def __init__(
        self,
        token: Secret,
        *,
        keys: Mapping[str, Secret],
        public_url: str | None,
        allowed_hosts: Sequence[str],
    ) -> None:
        self._token = token
        self._keys = keys
        self._public_url = public_url
        self._allowed_hosts = allowed_hosts

    def fields(self, head: RequestHead, body: bytes) -> dict[str, str]:
        """Return the fields of a request that Twilio signed.

        Raises:
            BadSignature: it did not, or not this request at this address.
            RemoteProtocolError: the body of a signed request cannot be read.
        """
        signature = _text(head, SIGNATURE_HEADER)
        if not signature:
            raise BadSignature(f"no {SIGNATURE_HEADER}")
        kind = _text(head, "content-type").partition(";")[0].strip().lower()
        urls = self._urls(head)
        settings = _text(head, SIGNATURE_SETTINGS_HEADER)
        inputs = f"urls {urls}, type {kind!r}, {len(body)} bytes"
        if settings:
            inputs += f", settings {settings!r}"
        try:
            params = _params(kind, head, body)
            inputs += f", fields {sorted(params)}" if isinstance(params, _Form) else ""
            validator = RequestValidator(self._secret(settings).reveal())
            algorithm = get_signature_algorithm(settings)
            good = any(
                validator.validate(url, params, signature, algorithm) for url in urls
            )
        except ValueError as error:
            raise BadSignature(str(error), inputs) from error
        if not good:
            raise BadSignature("another signature is expected", inputs)
        return _single(params) if isinstance(params, _Form) else _decoded(body)

    def _secret(self, settings: str) -> Secret:
        for part in settings.split(","):
            name, _, value = part.partition("=")
            if name.strip() == "key" and value.strip():
                if (key := self._keys.get(value.strip())) is None:
                    raise ValueError("a key that `secrets` does not hold")
                return key
        return self._token

    def _urls(self, head: RequestHead) -> list[str]:
        """Return what Twilio may have called, the likeliest first.

        `RequestValidator` tries each with and without its port.
        """
        target = head.raw_path.decode("latin-1")
        if head.query_string:
            target += f"?{head.query_string.decode('latin-1')}"
        if self._public_url is not None:
            return [self._public_url.rstrip("/") + target]
        host = _text(head, "host")
        name, port = _name_and_port(host)
        if not any(_covers(pattern, name) for pattern in self._allowed_hosts):
            raise BadSignature(f"host {host!r} is not in ALLOWED_HOSTS")
        urls = [f"{head.scheme}://{host}{target}"]
        if port is None and head.server[1] is not None:
            # A proxy that cuts the port off Host may tell it beside.
            urls.append(f"{head.scheme}://{host}:{head.server[1]}{target}")
        return urls


def _params(kind: str, head: RequestHead, body: bytes) -> _Form | str:
    if kind == _JSON:
        query = parse_qs(head.query_string.decode("latin-1"))
        if _BODY_HASH not in query:
            raise ValueError(f"JSON without {_BODY_HASH}, so the body is not signed")
        return body.decode()
    if kind != _FORM:
        raise ValueError("neither a form nor JSON")
    form = _Form()
    if body:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            # Joined to what is signed, `BodyHi` and `Body=Hi` are the same.
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
        for name, value in pairs:
            form.setdefault(name, []).append(value)
    return form


def _single(form: _Form) -> dict[str, str]:
    # Repeated fields are signed as a set; the same one twice says nothing else.
    if doubled := [name for name, values in form.items() if len(set(values)) > 1]:
        raise RemoteProtocolError(
            f"the field {doubled[0]} is there more than once", status=_BAD_REQUEST
        )
    return {name: values[0] for name, values in form.items()}


def _decoded(body: bytes) -> dict[str, str]:
    try:
        content: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RemoteProtocolError(
            "the body is no JSON object", status=_BAD_REQUEST
        ) from error
    return {
        name: str(value)
        for name, value in content.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }


def _text(head: RequestHead, name: str) -> str:
    return (head.header(name.lower().encode()) or b"").decode("latin-1").strip()


def _name_and_port(host: str) -> tuple[str, int | None]:
    try:
        split = urlsplit(f"//{host}")
        name, port = split.hostname, split.port
    except ValueError as error:
        raise BadSignature(f"host {host!r} cannot be read") from error
    if name is None or split.netloc != host or "@" in host:
        raise BadSignature(f"host {host!r} cannot be read")
    return (f"[{name}]" if ":" in name else name).removesuffix("."), port


def _covers(pattern: str, name: str) -> bool:
    """Compare as Django does: `.example.com` covers the domain and what is below it."""
    pattern = pattern.lower()
    if pattern.startswith("."):
        return name == pattern[1:] or name.endswith(pattern)
    return pattern in ("*", name)
