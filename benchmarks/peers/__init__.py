"""The site that the peers serve: what `examples/echo` answers, in their own terms."""
