"""Which mount a request belongs to."""

from __future__ import annotations

import pytest

from fairway.kit import MountPoint
from fairway.plugins.http.mounts import Mounts, NotAllowed


def point(
    prefix: str, *, methods: tuple[str, ...] = (), upgrade: str | None = None
) -> MountPoint:
    return MountPoint(
        prefix=prefix,
        methods=methods,
        upgrade=upgrade,
        plugin=prefix + (upgrade or "") + "".join(methods),
        open=lambda exchange: None,
    )


# As the host gives them: the longest prefix first.
MOUNTS = Mounts(
    [
        point("/poll/deep/"),
        point("/sms/", methods=("POST",)),
        point("/poll/", methods=("GET", "POST")),
        point("/chat/", methods=("POST",)),
        point("/chat/", methods=("DELETE",)),
        point("/live"),
        point("/", upgrade="websocket"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "upgrade", "plugin"),
    [
        ("GET", "/", "", None),
        ("GET", "/other/", "", None),
        ("GET", "/poll/", "", "/poll/GETPOST"),
        ("GET", "/poll/x", "", "/poll/GETPOST"),
        ("GET", "/poll", "", None),
        ("GET", "/poll/deep/", "", "/poll/deep/"),
        ("DELETE", "/poll/deep/", "", "/poll/deep/"),
        ("GET", "/live", "", "/live"),
        ("GET", "/live/x", "", "/live"),
        ("GET", "/lively", "", None),
        ("HEAD", "/poll/", "", "/poll/GETPOST"),
        ("POST", "/chat/", "", "/chat/POST"),
        ("DELETE", "/chat/", "", "/chat/DELETE"),
        ("GET", "/", "websocket", "/websocket"),
        ("GET", "/chat/", "websocket", "/websocket"),
        ("GET", "/chat/", "h2c", NotAllowed(("POST", "DELETE"))),
        ("GET", "/chat/", "", NotAllowed(("POST", "DELETE"))),
        ("GET", "/sms/x", "", NotAllowed(("POST",))),
        ("HEAD", "/sms/", "", NotAllowed(("POST",))),
        ("PUT", "/poll/", "", NotAllowed(("GET", "POST"))),
    ],
)
def test_a_request_goes_to_the_longest_prefix_that_takes_it(
    method: str, path: str, upgrade: str, plugin: str | NotAllowed | None
) -> None:
    found = MOUNTS.match(method, path, upgrade)

    assert (found.plugin if isinstance(found, MountPoint) else found) == plugin


def test_an_upgrade_without_a_mount_is_a_plain_request() -> None:
    mounts = Mounts([point("/poll/")])

    assert mounts.match("GET", "/", "websocket") is None
    assert isinstance(mounts.match("GET", "/poll/", "websocket"), MountPoint)
