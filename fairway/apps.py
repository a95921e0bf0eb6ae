"""fairway as a Django app: what happens when Django has loaded it."""

from __future__ import annotations

from django.apps import AppConfig


class FairwayConfig(AppConfig):
    """Without the setting `FAIRWAY` it does nothing at all."""

    name = "fairway"
    verbose_name = "fairway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and let Channel and Group find their layer."""
        from django.conf import settings

        if getattr(settings, "FAIRWAY", None) is None:
            return
        from django.core import checks

        from fairway import checks as fairway_checks
        from fairway.core import assembly
        from fairway.core.bus import registry

        checks.register(fairway_checks.check_site)
        assembly.connect_transactions()
        registry.install_factory(lambda: {registry.DEFAULT: assembly.assemble().layer})
