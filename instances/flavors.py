"""What administrators do with flavors, and how they are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from django.db import IntegrityError, transaction

from computecloud.core.actor import Actor
from computecloud.core.clock import utcnow
from computecloud.core.errors import Conflict, NotFound
from computecloud.core.ids import new_uuid
from instances.errors import FlavorNotFound
from instances.models.flavor import Flavor, FlavorAccess

TRIES = 5


class FlavorNameTaken(Conflict):
    message = "Flavor with name {name} already exists."


class FlavorIdTaken(Conflict):
    message = "Flavor with ID {flavor_id} already exists."


class FlavorAccessTaken(Conflict):
    message = "Flavor access already exists for flavor {flavor_id} and project {project_id} combination."


class FlavorAccessNotFound(NotFound):
    message = "Flavor access not found for {flavor_id} / {project_id} combination."


class ExtraSpecNotFound(NotFound):
    message = "Flavor {flavor_id} has no extra specs with key {key}."


class ExtraSpecsBusy(Conflict):
    message = "Flavor {flavor_id} extra spec cannot be updated or created after {tries} retries."


@dataclass(frozen=True, slots=True)
class NewFlavor:
    """A flavor that an administrator asks for; ``id`` None or empty: make one up."""

    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int
    id: str | None = None
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    description: str | None = None


def get(actor: Actor, flavor_id: str) -> Flavor:
    """A flavor the actor may see. Raises FlavorNotFound."""
    flavor = Flavor.objects.for_actor(actor).filter(pk=flavor_id).first()
    if flavor is None:
        raise FlavorNotFound(flavor_id=flavor_id)
    return flavor


def create(new: NewFlavor) -> Flavor:
    """Add a flavor. Raises FlavorNameTaken, FlavorIdTaken."""
    flavor = Flavor(**(asdict(new) | {"id": new.id or new_uuid()}))
    try:
        with transaction.atomic():
            flavor.save(force_insert=True)
    except IntegrityError:
        if Flavor.objects.filter(name=new.name).exists():
            raise FlavorNameTaken(name=new.name) from None
        raise FlavorIdTaken(flavor_id=flavor.id) from None
    return flavor


def describe(flavor_id: str, description: str | None) -> None:
    """Change a flavor's description. Raises FlavorNotFound."""
    if not Flavor.objects.filter(pk=flavor_id).update(description=description, updated_at=utcnow()):
        raise FlavorNotFound(flavor_id=flavor_id)


def delete(flavor_id: str) -> None:
    """Remove a flavor; servers keep their own copy. Raises FlavorNotFound."""
    with transaction.atomic():
        count, _ = Flavor.objects.filter(pk=flavor_id).delete()
    if not count:
        raise FlavorNotFound(flavor_id=flavor_id)


def change_extra_specs(flavor_id: str, change: Callable[[dict[str, str]], dict[str, str]]) -> dict[str, str]:
    """Compare and swap: ``change`` gets the extra specs as they are and returns what they shall be.

    Raises FlavorNotFound, ExtraSpecsBusy (somebody else kept changing them), and what ``change`` raises.
    """
    for _ in range(TRIES):
        seen = Flavor.objects.filter(pk=flavor_id).values("extra_specs", "updated_at").first()
        if seen is None:
            raise FlavorNotFound(flavor_id=flavor_id)
        wanted = change(dict(seen["extra_specs"]))
        unchanged = Flavor.objects.filter(pk=flavor_id, updated_at=seen["updated_at"])
        if unchanged.update(extra_specs=wanted, updated_at=utcnow()):
            return wanted
    raise ExtraSpecsBusy(flavor_id=flavor_id, tries=TRIES)


def projects_of(flavor: Flavor) -> list[str]:
    """Projects that may use a private flavor, in the order they were let in."""
    return list(FlavorAccess.objects.filter(flavor=flavor).order_by("pk").values_list("project_id", flat=True))


def grant(flavor: Flavor, project_id: str) -> None:
    """Let a project use a private flavor. Raises FlavorAccessTaken."""
    try:
        with transaction.atomic():
            FlavorAccess.objects.create(flavor=flavor, project_id=project_id)
    except IntegrityError:
        raise FlavorAccessTaken(flavor_id=flavor.id, project_id=project_id) from None


def withdraw(flavor: Flavor, project_id: str) -> None:
    """Take a private flavor away from a project. Raises FlavorAccessNotFound."""
    count, _ = FlavorAccess.objects.filter(flavor=flavor, project_id=project_id).delete()
    if not count:
        raise FlavorAccessNotFound(flavor_id=flavor.id, project_id=project_id)
