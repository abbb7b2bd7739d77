"""The model admin's site, under the theme. Made when the URL map is: processes that serve no pages do not load it.

The apps are registered in their plain forms (``unfold.apps.BasicAppConfig``, ``SimpleAdminConfig``), which saves each
worker 15 MB.
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import sites
from django.contrib.auth.models import Group as DjangoGroup
from unfold.sites import UnfoldAdminSite

site = UnfoldAdminSite()
admin.site = sites.site = site
admin.autodiscover()
site.unregister(DjangoGroup)  # groups are Identity's; Django's own are not used
