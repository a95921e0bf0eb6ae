"""What was said in the room: the last few posts, so that a newcomer sees something."""

from __future__ import annotations

import re

from django.db import models

KEPT = 50
MAX_NAME = 24
MAX_TEXT = 500
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Post(models.Model):
    """One thing that somebody said."""

    name = models.CharField(max_length=MAX_NAME)
    text = models.CharField(max_length=MAX_TEXT)
    door = models.CharField(max_length=16)
    said_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

    def as_dict(self) -> dict[str, object]:
        """Return what the page gets as JSON."""
        return {
            "id": self.pk,
            "name": self.name,
            "text": self.text,
            "door": self.door,
            "at": self.said_at.isoformat(),
        }


def latest(limit: int = KEPT) -> list[Post]:
    """Return the last posts, the oldest first."""
    return list(Post.objects.order_by("-id")[:limit])[::-1]


def record(name: str, text: str, door: str) -> Post:
    """Keep a post, and forget those that nobody will be shown any more."""
    post = Post.objects.create(
        name=_line(name)[:MAX_NAME], text=_line(text)[:MAX_TEXT], door=door
    )
    Post.objects.filter(id__lte=post.pk - KEPT).delete()
    return post


def _line(text: str) -> str:
    """Return one line without what would steer a terminal or look like another post."""
    return CONTROL.sub(" ", text).strip()
