"""A Django request over an `http.request` message; parsed as far as it is looked at."""

from __future__ import annotations

import codecs
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, QueryDict, parse_cookie
from django.utils.datastructures import MultiValueDict
from django.utils.encoding import repercent_broken_unicode
from django.utils.functional import cached_property
from django.utils.http import parse_header_parameters

from fairway.kit import Channel, Message
from fairway.plugins.http.body import open_body
from fairway.plugins.http.meta import make_meta

__all__ = ["FairwayRequest"]


class FairwayRequest(HttpRequest):
    """What a view gets.

    Everything that Django's `WSGIRequest` offers, with the same values for the same
    bytes on the wire. Whatever costs time is made when it is first used: most views
    never look at most of it.

    Args:
        message: the message that it is made of.
        script_name: where the site begins; None for what the settings say.

    Attributes:
        message: the message that it was made of.
    """

    resolver_match = None
    _read_started = False
    _post: QueryDict
    _files: MultiValueDict[str, UploadedFile[Any]]

    def __init__(self, message: Message, script_name: str | None = None) -> None:
        # HttpRequest's own constructor makes six empty containers, which take ten
        # times as long as all of this.
        content = message.content
        self.message = message
        self.method = content["method"].upper()
        self.path_info = path_info = _decode_path(content["raw_path"]) or "/"
        if script_name is None:
            script_name = settings.FORCE_SCRIPT_NAME or ""
        self.script_name = script_name
        # Only the first slash goes: //x and /x are different paths (RFC 3986).
        self.path = (
            path_info
            if path_info[0] == "/" and not script_name
            else f"{script_name.rstrip('/')}/{path_info.replace('/', '', 1)}"
        )

    @property
    def reply_channel(self) -> Channel:
        """Where the answer goes; a view may hand it on."""
        return self.message.reply_channel

    @cached_property
    def META(self) -> dict[str, Any]:  # type: ignore[override]  # noqa: N802
        """The CGI variables."""
        return make_meta(self.message.content, self.path_info, self.script_name)

    @property
    def environ(self) -> dict[str, Any]:
        """`META` under the name that WSGI has for it."""
        return self.META

    @cached_property
    def content_type(self) -> str:  # type: ignore[override]
        """The media type of the body, without parameters."""
        return self._content_type[0]

    @cached_property
    def content_params(self) -> dict[str, str]:  # type: ignore[override]
        """The parameters of the body's media type."""
        return self._content_type[1]

    @cached_property
    def GET(self) -> QueryDict:  # type: ignore[override]  # noqa: N802
        """The query string's parameters."""
        query_string = self.message.content.get("query_string", b"")
        return QueryDict(query_string, encoding=self._encoding)

    @cached_property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]  # noqa: N802
        """The cookies; text that is no UTF-8 is replaced."""
        header = self.META.get("HTTP_COOKIE", "").encode("latin-1")
        return parse_cookie(header.decode(errors="replace"))

    @property  # type: ignore[override]
    def POST(self) -> QueryDict:  # noqa: N802
        """The fields of a form that was posted."""
        if not hasattr(self, "_post"):
            self._load_post_and_files()
        return self._post

    @POST.setter
    def POST(self, post: QueryDict) -> None:  # noqa: N802
        self._post = post

    @property
    def FILES(self) -> MultiValueDict[str, UploadedFile[Any]]:  # noqa: N802
        """The files of a form that was posted."""
        if not hasattr(self, "_files"):
            self._load_post_and_files()
        return self._files

    @FILES.setter
    def FILES(self, files: MultiValueDict[str, UploadedFile[Any]]) -> None:  # noqa: N802
        self._files = files

    def close(self) -> None:
        """Close uploaded files and stop pulling the body."""
        made = self.__dict__
        if "_files" in made:
            super().close()
        if "_stream" in made:
            self._stream.close()

    @cached_property
    def _stream(self) -> BinaryIO:  # type: ignore[override]
        return open_body(self.message, self.reply_channel)

    @cached_property
    def _content_type(self) -> tuple[str, dict[str, str]]:
        return parse_header_parameters(self.META["CONTENT_TYPE"])

    @cached_property
    def _encoding(self) -> str | None:
        charset = self.content_params.get("charset")
        if charset is not None:
            try:
                codecs.lookup(charset)
            except (LookupError, ValueError):
                return None
        return charset

    def _get_scheme(self) -> str:
        return str(self.message.content.get("scheme", "http"))


def _decode_path(raw_path: bytes) -> str:
    """Decode a path; bytes that are no UTF-8 stay percent-encoded."""
    path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    try:
        return path.decode()
    except UnicodeDecodeError:
        return repercent_broken_unicode(path).decode()
