"""What the author of consumers uses."""
