"""What a protocol plugin is: its spec, its mapping, its host and its hooks."""
