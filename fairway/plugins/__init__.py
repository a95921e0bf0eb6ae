"""Protocols that come with fairway; each is a plugin like any other."""
