"""What stands behind `manage.py fairway`: one module for each subcommand."""
