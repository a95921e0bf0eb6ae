"""Protocols as hand-written specs, for tests of what stands behind the bus."""
