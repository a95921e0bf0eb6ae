"""What happens in the room, whichever door it came by.

Members get what they can show: pages JSON, terminals lines of text, feeds pieces of
an HTTP response that does not end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from fairway import Channel, Group
from harbour.models import Post, record

PAGES = "harbour.pages"
LINES = "harbour.lines"
FEEDS = "harbour.feeds"


def say(name: str, text: str, door: str, exclude: Sequence[Channel] = ()) -> Post:
    """Keep a post and show it to everybody but those lines."""
    post = record(name, text, door)
    Group(PAGES).send({"text": as_json("post", **post.as_dict())})
    Group(LINES).send({"text": str(post)}, exclude=exclude)
    Group(FEEDS).send({"content": f"{post}\n".encode(), "more_content": True})
    return post


def tell_presence() -> None:
    """Tell the pages how many are in the room."""
    Group(PAGES).send({"text": as_json("here", count=count())})


def count() -> int:
    """Return how many are in the room, on all interface servers."""
    return sum(Group(name).count() for name in (PAGES, LINES, FEEDS))


def as_json(kind: str, **facts: object) -> str:
    """Return one message to a page."""
    return json.dumps({"kind": kind, **facts})
