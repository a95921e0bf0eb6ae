"""The stock site for WSGI servers."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "stock_settings"
application = get_wsgi_application()
