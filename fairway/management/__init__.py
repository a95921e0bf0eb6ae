"""What `manage.py` offers, and what its commands print."""
