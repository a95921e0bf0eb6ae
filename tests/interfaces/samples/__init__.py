"""Plugins that the interface server's tests enable by their dotted paths."""
