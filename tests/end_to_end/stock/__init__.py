"""A stock Django project, to be served by any server."""
