"""The units and the site are what systemd and nginx accept, and what our own programs understand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import task_process
from deploy.cloud import CHECKOUT, Wish
from deploy.systemd import site

UNITS = sorted((CHECKOUT / "deploy" / "systemd").glob("computecloud*"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]
without_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
without_nginx = pytest.mark.skipif(not Path("/usr/sbin/nginx").exists(), reason="nginx is not installed")


def verify(folder: Path, change: str = "") -> str:
    """What systemd-analyze complains of; the programs of /opt/computecloud are this checkout's for the moment."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    for unit in UNITS:
        (folder / unit.name).write_text(unit.read_text().replace("/opt/computecloud/venv", f"{folder}/venv") + change)
    command = ["systemd-analyze", "verify", "--man=no", *(str(folder / unit.name) for unit in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "computecloud" in line or str(folder) in line]
    return "\n".join(ours)


@without_systemd
def test_systemd_accepts_every_unit(tmp_path: Path) -> None:
    assert len(SERVICES) == 6
    assert verify(tmp_path) == ""


@without_systemd
def test_it_would_complain(tmp_path: Path) -> None:
    assert "Unknown" in verify(tmp_path, "\n[Service]\nNoNewPrivilege=yes\n")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_only_compute_hosts_run_as_root_and_nobody_gains_privileges(unit: Path) -> None:
    text = unit.read_text()
    assert "NoNewPrivileges=yes" in text
    assert ("User=computecloud" in text) == ("compute@" not in unit.name)
    assert ("ProtectSystem=strict" in text) == ("compute@" not in unit.name)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_our_programs_understand_their_command_lines(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    words = line.split()
    module, arguments = words[words.index("-m") + 1], words[words.index("-m") + 2 :]
    if module == "deploy.serve":
        help_text = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=CHECKOUT, capture_output=True, text=True, check=True
        ).stdout
        assert [word for word in arguments if word.startswith("--") and word not in help_text] == []
        return
    heard: list[object] = []
    for kind in ("worker", "agent", "beat", "flower"):
        monkeypatch.setattr(task_process, kind, lambda *asked: heard.append(asked) or 0)
    assert task_process.main(arguments) == 0
    assert len(heard) == 1


@without_nginx
def test_nginx_accepts_the_site(tmp_path: Path) -> None:
    for name in ("run", "ca", "log"):
        (tmp_path / name).mkdir()
    key, certificate = tmp_path / "ca" / "server.key", tmp_path / "ca" / "server.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key,
         "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    shutil.copy(certificate, tmp_path / "ca" / "ca.crt")
    (tmp_path / "headers.conf").write_text(site.front.headers())
    text = site.site(Wish(tls=True, port=443, listen="127.0.0.1"), ["127.0.0.1"], str(certificate), str(key))
    assert "/var/lib/computecloud/etc" not in text
    text = text.replace("/etc/computecloud/", f"{tmp_path}/").replace("/var/log/nginx/", f"{tmp_path}/log/")
    text = text.replace("/var/lib/computecloud/", f"{tmp_path}/")
    (tmp_path / "site").write_text(text)
    main = f"""\
pid {tmp_path}/run/nginx.pid; error_log stderr; events {{}}
http {{
    include /etc/nginx/mime.types; default_type application/octet-stream; sendfile on; tcp_nopush on;
    client_body_temp_path {tmp_path}/run/b; proxy_temp_path {tmp_path}/run/p;
    fastcgi_temp_path {tmp_path}/run/f; uwsgi_temp_path {tmp_path}/run/f; scgi_temp_path {tmp_path}/run/f;
    include {tmp_path}/site;
}}
"""
    (tmp_path / "nginx.conf").write_text(main)
    done = subprocess.run(
        ["/usr/sbin/nginx", "-t", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
