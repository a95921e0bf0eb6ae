"""Receives messages, runs their consumers, flushes what they sent."""

from fairway.core.worker.worker import Worker

__all__ = ["Worker"]
