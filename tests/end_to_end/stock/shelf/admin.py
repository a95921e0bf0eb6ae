"""The shelf in the admin."""

from django.contrib import admin

from .models import Paper

admin.site.register(Paper)
