"""Every setting of the product: typed, defaulted and described in one place.

Read once from the TOML file named by ``$COMPUTECLOUD_CONFIG``; a single value can be overridden by the environment
variable ``COMPUTECLOUD_<NAME>``. A wrong name or type stops the process with the name of the offender.
"""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

PREFIX = "COMPUTECLOUD_"
SHORTEST_KEY = 32


class ConfigurationError(Exception):
    """A setting is missing, unknown or of the wrong type."""


class Conf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings. Durations end in ``_s`` (seconds), sizes carry their unit."""

    # --- what this process is
    # agent: a compute host, without any database; monitor: beat and Flower, which need neither database nor Django
    role: Literal["cloud", "conductor", "agent", "monitor"] = "cloud"
    state_dir: str = ".state"  # blobs, logs, sockets, identities
    debug: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # --- secrets (made by `./cloud up`, never defaulted)
    secret_key: str = ""  # Django's signing key; at least 32 characters
    previous_secret_keys: list[str] = []  # older keys that still verify, for rotation

    # --- addresses
    public_url: str = "http://127.0.0.1:8774"  # every link in every answer is made from it
    region: str = "RegionOne"
    # Host headers that the API answers; links never come from them
    allowed_hosts: list[str] = msgspec.field(default_factory=lambda: ["*"])
    # who may reach /admin/
    admin_networks: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])
    metrics_networks: list[str] = []  # addresses that read /api/v1/metrics without a token
    conductor_url: str = "http://127.0.0.1:8776"  # where compute hosts find the conductor

    # --- TLS with the cloud's own authority
    tls: bool = False  # the conductor's door asks hosts for their certificates and says who came
    ca_file: str = ""  # role agent: who vouches for the conductor and the broker
    certificate_file: str = ""  # role agent: who it is
    key_file: str = ""

    # --- stores
    database_url: str = "sqlite:///cloud.sqlite3"
    database_pooler: bool = False  # a transaction pooler sits in front of PostgreSQL: no prepared statements
    broker_url: str = "redis://127.0.0.1:6379/0"
    # where hosts find the broker; a host called * is the one at which they reached the conductor
    broker_for_hosts: str = ""
    # whose users are made for agents; none: all share the one that broker_for_hosts names
    broker_users: Literal["none", "redis", "rabbitmq"] = "none"
    broker_management_url: str = ""  # RabbitMQ's HTTP API, with an administrator's name and password

    # --- identity
    authenticator: str = "integrations.identity.facade.authenticate"  # token -> Actor, by dotted path
    token_ttl_s: int = 4 * 3600
    token_cache_s: float = 5.0  # a revoked token may live this long in a process's memory
    block_storage: bool = False  # the catalogue lists block storage
    identity_password_cost: int = 2  # Argon2 iterations, each over 19 MiB of memory
    identity_login_concurrency: int = 2  # password hashes computed at once, per process
    identity_failures_per_account: int = 10  # wrong passwords a minute before an account's are refused unseen
    identity_failures_per_address: int = 50

    # --- images
    image_max_bytes: int = 50 * 1024**3  # one image, at upload
    image_max_virtual_bytes: int = 10 * 1024**4  # the disk a guest would see, as the image's own header says
    image_allow_vmdk: bool = False  # when true, the two self-contained kinds only
    # content that no parser recognises is refused unless declared raw
    image_require_format_match: bool = True
    image_bytes_by_front: bool = False  # nginx sends the bytes that the API allowed (X-Accel-Redirect)
    quota_images: int = 1000  # per project
    quota_image_bytes: int = 500 * 1024**3  # per project; what uploads and finished images hold

    # --- operations
    lease_s: int = 30  # a host's right to work on an operation; renewed every third of it
    heartbeat_s: float = 5.0  # host to conductor, poll included
    host_down_after_s: int = 60
    operation_deadline_s: int = 900  # no operation is open longer
    max_attempts: int = 3  # a crashing operation is stopped after so many
    relay_after_s: float = 2.0  # an operation nobody took by then is rung again
    reconcile_s: float = 30.0
    leftover_grace_s: float = 120.0  # what a moved or deleted server left is watched so long before it is set aside
    quarantine_days: float = 7.0  # and its disks are kept so long on the host
    sweep_s: float = 5.0  # how often leases that ran out are looked for
    drain_s: float = 30.0  # a worker that is told to end has so long to hand over what it does
    canary_s: float = 30.0  # a worker rings its own queues that often, to hear whether it still hears
    consumer_stale_s: float = 90.0  # one that heard nothing for so long, and could ring, starts anew

    # after a restore: hosts report, servers follow their guests, and nothing is started, stopped, placed or removed
    restoring: bool = False

    # --- scheduling
    # names of docs/reference/scheduler.md, or dotted paths of a site's own; in this order
    scheduler_filters: list[str] = msgspec.field(
        default_factory=lambda: [
            "ComputeFilter",
            "AvailabilityZoneFilter",
            "RamFilter",
            "DiskFilter",
            "CoreFilter",
            "ResourceClassFilter",
            "TraitsFilter",
            "ImagePropertiesFilter",
            "ComputeCapabilitiesFilter",
            "ServerGroupAntiAffinityFilter",
            "ServerGroupAffinityFilter",
            "SameHostFilter",
            "DifferentHostFilter",
            "NUMATopologyFilter",
            "PciPassthroughFilter",
        ]
    )
    # multipliers; negative ones turn a preference round, 0 turns it off. An aggregate's metadata may set another
    scheduler_weighers: dict[str, float] = msgspec.field(
        default_factory=lambda: {
            "RAMWeigher": 1.0,
            "CPUWeigher": 1.0,
            "DiskWeigher": 1.0,
            "IoOpsWeigher": -1.0,
            "NumInstancesWeigher": 0.0,
            "ServerGroupSoftAffinityWeigher": 1.0,
            "ServerGroupSoftAntiAffinityWeigher": 1.0,
            "BuildFailureWeigher": 1000000.0,
            "ImagePropertiesWeigher": 0.0,
            "HypervisorVersionWeigher": 1.0,
            "MetricsWeigher": 1.0,
            "PCIWeigher": 1.0,
        }
    )
    scheduler_host_subset_size: int = 1  # the winner is drawn among so many of the best hosts
    scheduler_available: list[str] = []  # dotted paths of filters and weighers that an admin may switch on at run time
    max_io_ops_per_host: int = 8  # IoOpsFilter
    max_instances_per_host: int = 50  # NumInstancesFilter
    isolated_images: list[str] = []  # IsolatedHostsFilter: ids
    isolated_hosts: list[str] = []  # names
    restrict_isolated_hosts_to_isolated_images: bool = True
    aggregate_image_properties_isolation_namespace: str = ""
    aggregate_image_properties_isolation_separator: str = "."
    image_properties_default_architecture: str = ""  # of images that do not say
    metrics_weights: dict[str, float] = {}  # what the metrics weigher adds up: name -> ratio
    metrics_weight_of_unavailable: float = -10000.0  # of a host that lacks one of them
    pci_aliases: dict[str, dict[str, str]] = {}  # alias -> {vendor_id, product_id}, for pci_passthrough:alias
    default_availability_zone: str = "nova"
    decision_retention_s: int = 7 * 24 * 3600

    # --- quotas of a project that has none of its own (Nova's defaults)
    quota_instances: int = 10
    quota_cores: int = 20
    quota_ram_mb: int = 51200
    quota_metadata_items: int = 128
    quota_key_pairs: int = 100
    quota_server_groups: int = 10
    quota_server_group_members: int = 10

    # --- networks
    network_mtu: int = 1450  # largest MTU of a network: the underlay's, less 50 for VXLAN
    quota_network_network: int = 100  # these: rows a project may have, Neutron's defaults; -1 is unlimited
    quota_network_subnet: int = 100
    quota_network_subnetpool: int = 100
    quota_network_port: int = 500
    quota_network_router: int = 10
    quota_network_security_group: int = 10
    quota_network_security_group_rule: int = 100

    # --- compute hosts (role agent)
    identities: list[str] = msgspec.field(default_factory=list)  # identity.toml files this agent stands for
    underlay_address: str = ""  # this host's address on the hosts' own network
    host_threads: int = 8

    # --- guests
    reclaim_instance_interval_s: int = 0  # a deleted server may be restored for so long; 0: it is gone at once
    allow_resize_to_same_host: bool = False  # a resize may choose the host that the server is on
    resize_confirm_window_s: int = 0  # a resize that nobody confirmed or reverted is confirmed after so long; 0: never
    shelved_offload_s: int = 0  # a shelved server gives its host up after so long; -1: only by an administrator
    stop_timeout_s: int = 60  # ask a guest that long before its power is cut


def _overrides() -> dict[str, Any]:
    """Values from the environment; lists and tables are written as JSON there."""
    names = {field.name: field for field in msgspec.structs.fields(Conf)}
    found: dict[str, Any] = {}
    for key, text in os.environ.items():
        name = key.removeprefix(PREFIX).lower()
        if not key.startswith(PREFIX) or name not in names or name == "config":
            continue
        looks_json = text.startswith(("[", "{"))
        try:
            found[name] = msgspec.json.decode(text) if looks_json else text
        except msgspec.DecodeError as problem:
            raise ConfigurationError(f"{key}: not JSON: {problem}") from problem
    return found


@lru_cache(maxsize=1)
def conf() -> Conf:
    """The settings of this process. Raises ConfigurationError."""
    values: dict[str, Any] = {}
    path = os.environ.get(PREFIX + "CONFIG")
    if path:
        try:
            values = tomllib.loads(Path(path).read_text())
        except (OSError, tomllib.TOMLDecodeError) as problem:
            raise ConfigurationError(f"cannot read {path}: {problem}") from problem
    values.update(_overrides())
    try:
        found = msgspec.convert(values, Conf, strict=False)
    except msgspec.ValidationError as problem:
        raise ConfigurationError(f"settings ({path or 'environment'}): {problem}") from problem
    keys = [found.secret_key, *found.previous_secret_keys] if found.role in ("cloud", "conductor") else []
    if any(len(key) < SHORTEST_KEY for key in keys):  # signatures of an empty or short key are anyone's (S24)
        raise ConfigurationError(f"secret_key ({path or 'environment'}): at least {SHORTEST_KEY} characters are needed")
    return found
