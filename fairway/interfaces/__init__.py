"""The interface server: hosts protocols over a channel layer, in one event loop."""
