"""The conductor as a host sees it: one keep-alive connection per thread, typed calls, images in ranges."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import urllib3

from computecloud.core.checksum import sha512_of
from hosts.drivers.errors import Fatal, Transient
from tasks.conductor import wire

T = TypeVar("T")
CHUNK = 1024 * 1024
STORE_TIMEOUT = urllib3.Timeout(connect=5.0, read=300.0)  # after the last byte the image is judged and synced


class ConductorUnreachable(Transient):
    """No answer, or one that says to come back: nothing is known, nothing destructive may follow."""


class ConductorRefused(Exception):
    """The conductor answered no: 4xx."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{status}: {text[:300]}")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths for an https conductor: who vouches for it, and who we are. Read anew for each connection."""

    authority: str = ""
    certificate: str = ""
    key: str = ""


class Conductor:
    """All calls raise ConductorUnreachable or ConductorRefused. An https conductor is verified, always."""

    def __init__(self, url: str, host_id: str, secret: str, threads: int = 16, tls: TlsFiles | None = None) -> None:
        files = tls or TlsFiles()
        self.url = url.rstrip("/") + "/conductor/v1/"
        self.headers = {"Authorization": f"Bearer {host_id}:{secret}", "Content-Type": "application/json"}
        self.pool = urllib3.PoolManager(
            maxsize=threads, retries=False, timeout=urllib3.Timeout(connect=5.0, read=30.0), block=False,
            cert_reqs="CERT_REQUIRED", ca_certs=files.authority or None, cert_file=files.certificate or None,
            key_file=files.key or None,
        )  # fmt: skip

    def _call(self, name: str, body: Any, kind: type[T] | None = None) -> T:
        data = wire.encode(body)
        for attempt in (1, 2):
            try:
                answer = self.pool.request("POST", self.url + name, body=data, headers=self.headers)
                break
            except urllib3.exceptions.ProtocolError as problem:  # a kept connection that the other side had closed
                if attempt == 2:
                    raise ConductorUnreachable(str(problem)) from problem
            except urllib3.exceptions.HTTPError as problem:
                raise ConductorUnreachable(str(problem)) from problem
        if answer.status >= 500:
            raise ConductorUnreachable(f"{name}: HTTP {answer.status}")
        if answer.status >= 400:
            raise ConductorRefused(answer.status, answer.data.decode("utf-8", "replace"))
        return wire.decode(answer.data, kind) if kind is not None else None  # type: ignore[return-value]

    def register(self, body: wire.Register) -> None:
        self._call("register", body)

    def beat(self, body: wire.Beat) -> wire.BeatAnswer:
        return self._call("beat", body, wire.BeatAnswer)

    def certify(self, body: wire.Certify) -> wire.Certified:
        return self._call("certificate", body, wire.Certified)

    def take(self, body: wire.Take) -> wire.TakeAnswer:
        return self._call("take", body, wire.TakeAnswer)

    def renew(self, body: wire.Renew) -> wire.RenewAnswer:
        return self._call("renew", body, wire.RenewAnswer)

    def finish(self, body: wire.Finish) -> wire.FinishAnswer:
        return self._call("finish", body, wire.FinishAnswer)

    def observe(self, body: wire.Observe) -> wire.ObserveAnswer:
        return self._call("observe", body, wire.ObserveAnswer)

    # --- ImageSource of the drivers

    def fetch(self, image_id: str, sha512: str, target: Path) -> None:
        """Write the image to ``target``, resuming a ``.part`` file; the checksum decides. Raises Fatal, Transient."""
        part = target.with_name(target.name + ".part")
        offset = part.stat().st_size if part.exists() else 0
        self._download(f"images/{image_id}/data", part, offset)
        found = sha512_of(part)
        if found != sha512 and offset:  # a resumed file may have been damaged: once more from the start
            part.unlink()
            self._download(f"images/{image_id}/data", part, 0)
            found = sha512_of(part)
        if found != sha512:
            part.unlink()
            raise Fatal(f"image {image_id} has another checksum than its record")
        part.rename(target)
        _fsync_folder(target.parent)

    def store(self, image_id: str, operation_id: str, source: Path) -> None:
        """Bring the bytes of the image that an operation makes. Raises Fatal (refused for good), Transient."""
        self._upload(f"images/{image_id}/data", operation_id, source)

    def send_disk(self, trip_id: str, operation_id: str, disk: str, source: Path) -> None:
        """Bring a disk of a guest that leaves for another host. Raises Fatal (refused for good), Transient."""
        self._upload(f"moves/{trip_id}/{disk}", operation_id, source)

    def fetch_disk(self, trip_id: str, operation_id: str, disk: str, sha512: str, target: Path) -> None:
        """Write the disk that another host brought to ``target``; the checksum decides. Raises Fatal, Transient."""
        self._download(f"moves/{trip_id}/{disk}", target, 0, operation_id)
        if sha512_of(target) != sha512:
            target.unlink()
            raise Fatal(f"disk {disk} has another checksum than the one that was sent")

    def _upload(self, path: str, operation_id: str, source: Path) -> None:
        size = source.stat().st_size
        headers = {
            **self.headers,
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "X-Operation": operation_id,
        }
        with source.open("rb") as file:
            try:
                answer = self.pool.request(
                    "PUT", f"{self.url}{path}", body=file, headers=headers, timeout=STORE_TIMEOUT
                )
            except urllib3.exceptions.HTTPError as problem:
                raise ConductorUnreachable(str(problem)) from problem
        if answer.status >= 500:
            raise ConductorUnreachable(f"{path}: HTTP {answer.status}")
        if answer.status >= 400:
            raise Fatal(f"{path} was refused: {answer.data.decode('utf-8', 'replace')[:300]}")

    def _download(self, path: str, part: Path, offset: int, operation_id: str = "") -> None:
        headers = {**self.headers, "X-Operation": operation_id}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        try:
            answer = self.pool.request("GET", f"{self.url}{path}", headers=headers, preload_content=False)
            if answer.status not in (200, 206):
                raise Transient(f"{path}: HTTP {answer.status}")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if offset else os.O_TRUNC), 0o600)
            with os.fdopen(descriptor, "ab" if offset else "wb") as file:
                for chunk in answer.stream(CHUNK):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            answer.release_conn()
        except urllib3.exceptions.HTTPError as problem:
            raise Transient(f"{path}: {problem}") from problem
        except OSError as problem:
            raise Fatal(f"{path} cannot be stored: {problem}") from problem


def _fsync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
