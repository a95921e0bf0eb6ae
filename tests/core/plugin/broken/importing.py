"""Cannot even be imported."""

raise RuntimeError("a bug at import")
