"""``POST /servers/{id}/action``: one key in the body, one row in the table of actions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse

from computecloud.core.errors import Gone, Invalid, NotFound, Unsupported
from computecloud.http import policy
from computecloud.http.answers import answer, empty
from computecloud.http.bodies import check, read_json
from computecloud.http.microversions import available, parse
from computecloud.http.pagination import public_link
from computecloud.http.services import Version
from computecloud.http.views import ServiceViewSet
from instances import server_labels, servers
from instances.actions.base import Action
from instances.actions.console import ConsoleOutput
from instances.actions.crash_dump import CrashDump
from instances.actions.create_backup import CreateBackup
from instances.actions.create_image import CreateImage
from instances.actions.delete import Delete
from instances.actions.password import ChangePassword
from instances.actions.pause import Pause, Unpause
from instances.actions.power import Start, Stop
from instances.actions.reboot import Reboot
from instances.actions.rebuild import Rebuild
from instances.actions.rescue import Rescue, Unrescue
from instances.actions.reset_state import ResetState
from instances.actions.resize import Migrate, Resize
from instances.actions.resize_end import ConfirmResize, RevertResize
from instances.actions.shelve import Shelve, ShelveOffload, Unshelve
from instances.actions.soft_delete import Restore
from instances.actions.suspend import Resume, Suspend
from instances.api.asked import Asked, Entry
from instances.api.schemas import server_actions as schemas
from instances.api.schemas.types import number
from instances.api.server_rebuild import rebuild
from instances.api.server_rescue import rescue
from instances.api.server_resize import migrate, resize
from instances.api.server_shelve import unshelve


def _plain(key: str, action: type[Action], since: str = "2.1") -> Entry:
    """A verb without arguments, under its own rule."""

    def handle(asked: Asked) -> HttpResponse:
        action.request(asked.actor, asked.server, asked.request_id)
        return empty(202)

    return Entry(action.rule, schemas.anything(key), handle, since)


def _confirm_resize(asked: Asked) -> HttpResponse:
    ConfirmResize.request(asked.actor, asked.server, asked.request_id)
    return empty(204)


def _reboot(asked: Asked) -> HttpResponse:
    Reboot.request(asked.actor, asked.server, asked.request_id, type=asked.args["type"].upper())
    return empty(202)


def _force_delete(asked: Asked) -> HttpResponse:
    Delete.request(asked.actor, asked.server, asked.request_id)
    return empty(202)


def _change_password(asked: Asked) -> HttpResponse:
    ChangePassword.change(asked.actor, asked.server, asked.args["adminPass"], asked.request_id)
    return empty(202)


def _console_output(asked: Asked) -> HttpResponse:
    length = asked.args.get("length")
    output = str(ConsoleOutput.ask(asked.actor, asked.server, asked.request_id).get("output", ""))
    return answer({"output": tail(output, -1 if length is None else int(length))})


def tail(text: str, lines: int) -> str:
    """The last so many lines; all of them for -1."""
    if lines < 0:
        return text
    return "\n".join(text.split("\n")[-lines:]) if lines else ""


def _create_image(asked: Asked) -> HttpResponse:
    """Since 2.45 the image's id is in the body; before, only in a link."""
    metadata = asked.args.get("metadata") or {}
    server_labels.check_metadata_size(asked.server.project_id, len(metadata))
    image_id = CreateImage.of(asked.actor, asked.server, asked.args["name"], metadata, asked.request_id)
    return _image_told(asked, image_id)


def _create_backup(asked: Asked) -> HttpResponse:
    """With a rotation of nothing there is no image to tell of: it goes with the others."""
    metadata = asked.args.get("metadata") or {}
    server_labels.check_metadata_size(asked.server.project_id, len(metadata))
    rotation = number(asked.args["rotation"], "rotation")
    image_id = CreateBackup.of_kind(
        asked.actor, asked.server, asked.args["name"], metadata, asked.args["backup_type"], rotation, asked.request_id
    )
    return _image_told(asked, image_id) if rotation else empty(202)


def _image_told(asked: Asked, image_id: str) -> HttpResponse:
    if asked.version >= (2, 45):
        return answer({"image_id": image_id}, 202)
    return empty(202, {"Location": public_link(f"/image/v2/images/{image_id}")})


def _lock(asked: Asked) -> HttpResponse:
    reason = asked.args.get("locked_reason") if asked.version >= (2, 73) and asked.args else None
    servers.lock(asked.actor, asked.server, asked.request_id, reason)
    return empty(202)


def _unlock(asked: Asked) -> HttpResponse:
    servers.unlock(asked.actor, asked.server, asked.request_id)
    return empty(202)


def _reset_state(asked: Asked) -> HttpResponse:
    ResetState.reset(asked.actor, asked.server, asked.args["state"], asked.request_id)
    return empty(202)


def _add_group(asked: Asked) -> HttpResponse:
    servers.join_group(asked.server, _group_name(asked))
    return empty(202)


def _remove_group(asked: Asked) -> HttpResponse:
    servers.leave_group(asked.server, _group_name(asked))
    return empty(202)


def _inject_network_info(asked: Asked) -> HttpResponse:
    """Nothing to do, as with Nova's libvirt driver: guests ask DHCP and read the config drive."""
    return empty(202)


def _group_name(asked: Asked) -> str:
    name: str = asked.args["name"]
    if not name.strip():
        raise Invalid("Security group name cannot be empty")
    return name


TABLE: dict[str, Entry] = {
    "os-start": _plain("os-start", Start),
    "os-stop": _plain("os-stop", Stop),
    "pause": _plain("pause", Pause),
    "unpause": _plain("unpause", Unpause),
    "suspend": _plain("suspend", Suspend),
    "resume": _plain("resume", Resume),
    "rebuild": Entry(Rebuild.rule, schemas.REBUILD, rebuild),
    "rescue": Entry(Rescue.rule, schemas.RESCUE, rescue),
    "unrescue": _plain("unrescue", Unrescue),
    "shelve": _plain("shelve", Shelve),
    "shelveOffload": _plain("shelveOffload", ShelveOffload),
    "unshelve": Entry(Unshelve.rule, schemas.UNSHELVE, unshelve),
    "resize": Entry(Resize.rule, schemas.RESIZE, resize),
    "confirmResize": Entry(ConfirmResize.rule, schemas.anything("confirmResize"), _confirm_resize),
    "revertResize": _plain("revertResize", RevertResize),
    "migrate": Entry(Migrate.rule, schemas.MIGRATE, migrate),
    "createImage": Entry("os_compute_api:servers:create_image", schemas.CREATE_IMAGE, _create_image),
    "createBackup": Entry(CreateBackup.rule, schemas.CREATE_BACKUP, _create_backup),
    "reboot": Entry("os_compute_api:servers:reboot", schemas.REBOOT, _reboot),
    "forceDelete": Entry("os_compute_api:os-deferred-delete:force", schemas.anything("forceDelete"), _force_delete),
    "os-getConsoleOutput": Entry("os_compute_api:os-console-output", schemas.CONSOLE_OUTPUT, _console_output),
    "changePassword": Entry(ChangePassword.rule, schemas.CHANGE_PASSWORD, _change_password),
    "trigger_crash_dump": _plain("trigger_crash_dump", CrashDump, since="2.17"),
    "lock": Entry("os_compute_api:os-lock-server:lock", schemas.LOCK, _lock),
    "unlock": Entry("os_compute_api:os-lock-server:unlock", schemas.anything("unlock"), _unlock),
    "os-resetState": Entry(ResetState.rule, schemas.RESET_STATE, _reset_state),
    "injectNetworkInfo": Entry(
        "os_compute_api:os-admin-actions:inject_network_info",
        schemas.anything("injectNetworkInfo"),
        _inject_network_info,
    ),
    "restore": _plain("restore", Restore),
    "addSecurityGroup": Entry(
        "os_compute_api:os-security-groups:add", schemas.group("addSecurityGroup"), _add_group
    ),
    "removeSecurityGroup": Entry(
        "os_compute_api:os-security-groups:remove", schemas.group("removeSecurityGroup"), _remove_group
    ),
}

LATER: dict[str, tuple[str, str | None, str]] = {
    "addFixedIp": ("2.1", "2.43", "Adding an address to a server"),
    "addFloatingIp": ("2.1", "2.43", "Floating addresses"),
    "evacuate": ("2.1", None, "Evacuating a server"),
    "os-getSPICEConsole": ("2.1", "2.5", "Remote consoles"),
    "os-getSerialConsole": ("2.1", "2.5", "Remote consoles"),
    "os-getVNCConsole": ("2.1", "2.5", "Remote consoles"),
    "os-migrateLive": ("2.1", None, "Migrating a running server"),
    "removeFixedIp": ("2.1", "2.43", "Taking an address from a server"),
    "removeFloatingIp": ("2.1", "2.43", "Floating addresses"),
}
"""Nova's other actions: (first version, last version, what is not offered yet). Each moves up when it is built."""

GONE = frozenset({"os-getRDPConsole", "resetNetwork"})


def action_of(body: Any, only: frozenset[str] | None = None) -> str:
    """The one key. Raises Invalid, Gone."""
    if not isinstance(body, dict) or not body:
        raise Invalid("Malformed request body: one action is needed.")
    key: str | None = next((name for name in body if name in TABLE or name in LATER or name in GONE), None)
    if key is None or (only is not None and key not in only):
        raise Invalid(f"There is no such action: {next(iter(body))[:60]}")
    if key in GONE:
        raise Gone
    return key


def check_span(key: str, version: Version) -> None:
    """Raises NotFound outside of the action's versions."""
    entry = TABLE.get(key)
    since, until = (entry.since, entry.until) if entry else LATER[key][:2]
    if version < parse(since) or (until is not None and version > parse(until)):
        raise NotFound(f"API version {version[0]}.{version[1]} is not supported on this method.")


class ServerActionViewSet(ServiceViewSet):
    """Everything that is done to a server. ``only``: the actions a path offers, when not all."""

    service = "compute"
    policy = {"act": "compute:servers:act"}
    only: ClassVar[frozenset[str] | None] = None

    def act(self, request: Any, server_id: str) -> HttpResponse:
        body, version = read_json(request), request.api_version
        key = action_of(body, self.only)
        check_span(key, version)
        entry = TABLE.get(key)
        if entry is None:
            servers.get(self.actor, server_id)
            raise Unsupported(f"{LATER[key][2]} is not offered by this cloud yet ({key}).")
        check(entry.schema.at(version), body)
        server = servers.get(self.actor, server_id)
        policy.authorize(self.actor, entry.rule, server.project_id)
        return entry.handle(Asked(self.actor, server, request.request_id, version, body[key]))


class OldServerActionViewSet(ServerActionViewSet):
    """``/os-volumes_boot/{id}/action``, until 2.102."""

    only = frozenset({
        "confirmResize", "createImage", "os-start", "os-stop", "reboot", "rebuild", "resize", "revertResize",
        "trigger_crash_dump",
    })  # fmt: skip

    @available(until="2.102")
    def act(self, request: Any, server_id: str) -> HttpResponse:
        return super().act(request, server_id)
