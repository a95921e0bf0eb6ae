"""What `fairway top` shows, where it comes from, and how it gets to a terminal."""
