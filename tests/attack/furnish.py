"""Puts the things of ``tests/support/tenant.py`` into a running cloud, and people who can log in.

Run as ``python -m tests.attack.furnish PASSWORD`` with the cloud's own settings; prints as JSON what was made. It works
beside the cloud's processes on the same database, as the API does, so that what a test walks over in one process and
what it meets in a running cloud are the same.
"""

from __future__ import annotations

import json
import os
import sys

import django


def furnish(password: str) -> str:
    """Make everything; the places and values, as ``RunningTenant`` reads them."""
    from integrations.identity import bootstrap
    from integrations.identity.models import Project, Role, User
    from tests.support.auth import PEOPLE
    from tests.support.client import Cloud
    from tests.support.tenant import Tenant

    tenant = Tenant(Cloud())
    for name, (project_id, role) in PEOPLE.items():
        if name != "admin":
            user = User.objects.get(name=name, domain_id="default")
            user.set_password(password)
            user.save()
            bootstrap.grant(user, Role.objects.get(name=role, domain=None), Project.objects.get(id=project_id))
    return json.dumps(
        {
            "values": [[*place, value] for place, value in tenant.values.items()],
            "owned": sorted(tenant.owned),
            "by_version": [[*place, *since, value] for (place, since), value in tenant.by_version.items()],
        }
    )


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "computecloud.settings"
    django.setup()
    sys.stdout.write(furnish(sys.argv[1]))
