"""Test suites and tools for authors of layers, plugins and consumers."""
