"""What is on the shelf."""

from __future__ import annotations

from django.db import models


class Paper(models.Model):
    title: models.CharField[str, str] = models.CharField(max_length=100)
    file = models.FileField(upload_to="papers")

    def __str__(self) -> str:
        return self.title
