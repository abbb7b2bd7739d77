"""How clients log in: `./cloud env`, and a clouds.yaml for the openstack command and SDK."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from deploy import cloud as clouds
from deploy import credentials
from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.files import write_private
from deploy.progress import Failure

REGION = "RegionOne"
CLOUDS = {"computecloud": "demo", "computecloud-admin": "admin"}


def _password(secrets: Secrets, who: str) -> str:
    return {"demo": secrets.demo_password, "admin": secrets.admin_password}[who]


def variables(cloud: Cloud, secrets: Secrets, who: str) -> dict[str, str]:
    """The OS_* variables of user ``who`` (demo or admin) in the project of the same name."""
    return {
        "OS_AUTH_URL": f"{cloud.public_url}/identity/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": who,
        "OS_PASSWORD": _password(secrets, who),
        "OS_PROJECT_NAME": who,
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": REGION,
        "OS_INTERFACE": "public",
        **({"OS_CACERT": str(cloud.trust)} if cloud.trust else {}),
    }


def write_clouds_yaml(cloud: Cloud, secrets: Secrets) -> None:
    """``<state>/clouds.yaml``; JSON strings are YAML strings."""
    lines = ["clouds:"]
    for name, who in CLOUDS.items():
        lines += [
            f"  {name}:",
            "    auth:",
            f"      auth_url: {json.dumps(cloud.public_url + '/identity/v3')}",
            f"      username: {who}",
            f"      password: {json.dumps(_password(secrets, who))}",
            f"      project_name: {who}",
            "      user_domain_name: Default",
            "      project_domain_name: Default",
            f"    region_name: {REGION}",
            "    interface: public",
            "    identity_api_version: 3",
            *([f"    cacert: {json.dumps(str(cloud.trust))}"] if cloud.trust else []),
        ]
    write_private(cloud.state / "clouds.yaml", "\n".join(lines) + "\n")


def run(asked: argparse.Namespace) -> int:
    """Print what a shell evaluates; anything left over of another login is unset first."""
    cloud = clouds.existing(asked.state)
    secrets = credentials.load(cloud.state)
    if secrets is None:
        raise Failure(f"{cloud.state} has no secrets yet: run ./cloud up first.")
    values = variables(cloud, secrets, asked.who)
    sys.stdout.write("unset OS_CACERT OS_CLOUD OS_TOKEN OS_TENANT_NAME OS_TENANT_ID OS_PROJECT_ID OS_SYSTEM_SCOPE\n")
    for name, value in values.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0
