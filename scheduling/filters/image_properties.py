"""The host can run what the image says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from computecloud.conf import conf
from scheduling.filters.base import HostFilter, first_of, where
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i386": "i686"}
MODES = {"pv": "xen", "hv": "hvm", "baremetal": "hvm"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the image asks of a host; empty: nothing."""

    arch: str = ""
    hypervisor: str = ""
    mode: str = ""
    version: str = ""
    machine: str = ""

    @classmethod
    def of(cls, request: PlacementRequest) -> Wanted:
        """From the image's properties under their present and their older names."""

        def ask(*names: str) -> str:
            for name in names:
                if value := request.image_properties.get(name):
                    return str(value)
            return ""

        arch = ask("hw_architecture", "architecture").lower()
        if not arch and request.image_id:
            arch = conf().image_properties_default_architecture
        mode = ask("hw_vm_mode", "vm_mode").lower()
        return cls(
            arch=ARCHITECTURES.get(arch, arch),
            hypervisor=ask("img_hv_type", "hypervisor_type").lower(),
            mode=MODES.get(mode, mode),
            version=ask("img_hv_requested_version", "hypervisor_version_requires"),
            machine=ask("hw_machine_type"),
        )

    def refusal(self, facts: dict[str, Any]) -> str | None:
        """Why a host cannot run it, or None."""
        guests = [tuple(one) for one in facts["supported"]]
        for word, number, value in (
            ("architecture", 0, self.arch),
            ("hypervisor", 1, self.hypervisor),
            ("mode", 2, self.mode),
        ):
            guests = [guest for guest in guests if value in ("", guest[number])] if value else guests
            if not guests:
                has = sorted({one[number] for one in facts["supported"]})
                return f"image wants {word} {value}, host has {', '.join(has) or 'none'}"
        if self.version and not _satisfies(facts["hypervisor_version"], self.version):
            version = version_text(facts["hypervisor_version"])
            return f"image wants hypervisor version {self.version}, host has {version}"
        if self.machine and facts["machine_types"] and self.machine not in facts["machine_types"]:
            return f"image wants machine type {self.machine}, which the host does not have"
        return None


def version_text(version: int) -> str:
    """7002001 as 7.2.1."""
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"


def _satisfies(version: int, wanted: str) -> bool:
    """A host that does not say its version passes; a wish that cannot be read passes nowhere."""
    if not version:
        return True
    try:
        return version_text(version) in SpecifierSet(wanted)
    except InvalidSpecifier:
        return False


class ImagePropertiesFilter(HostFilter):
    """Architecture, hypervisor type, guest mode, hypervisor version and machine type that the image wants."""

    def applies(self, request: PlacementRequest) -> bool:
        says = request.image_properties or (request.image_id and conf().image_properties_default_architecture)
        return bool(says) and Wanted.of(request) != Wanted()

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        wanted = Wanted.of(request)
        return where(table, wanted, lambda facts: wanted.refusal(facts) is None)

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return Wanted.of(request).refusal(table.facts[row]) or "accepted"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        row = first_of(considered)
        return "no host is left" if row < 0 else self.reason(table, request, row)
