"""The conductor as a WSGI application on a listener of its own."""

from __future__ import annotations

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "computecloud.settings")
os.environ.setdefault("COMPUTECLOUD_ROLE", "conductor")
application = get_wsgi_application()
import_module("computecloud.celery")  # the bell rings through it
