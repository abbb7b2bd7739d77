"""The hosts' gate: with TLS, nginx stands before the conductor, on the hosts' side only, and asks for certificates.

Granian verifies a client's certificate but tells the application nothing of it; nginx does.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cloud import Cloud, bracketed
from deploy.files import write_private

FILE = "gate.conf"
CERTIFIED = "X-Agent-Certificate"  # as tasks.conductor.door reads it
LARGEST_BODY = "8m"
REFUSAL = '{"error": {"code": 401, "title": "Unauthorized", "message": "A client certificate is needed here."}}'


def tls_lines(cloud: Cloud) -> str:
    """Of every TLS server here."""
    return f"""\
        ssl_certificate {cloud.ca}/server.crt;
        ssl_certificate_key {cloud.ca}/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:computecloud:1m;
        ssl_session_timeout 1h;
"""


def write_config(cloud: Cloud, addresses: Sequence[str], port: int) -> None:
    """``<state>/etc/gate.conf``, which the front's nginx includes. Without TLS there is no gate."""
    if cloud.wish.tls:
        write_private(cloud.etc / FILE, text(cloud, addresses, port))


def text(cloud: Cloud, addresses: Sequence[str], port: int) -> str:
    """The gate as a server of nginx, with its upstream."""
    listen = "\n".join(f"        listen {bracketed(address)}:{port} ssl backlog=1024;" for address in addresses)
    return f"""\
    upstream conductor {{ server unix:{cloud.run}/conductor.sock; keepalive 32; keepalive_requests 100000; }}
    server {{
{listen}
        server_name _;
{tls_lines(cloud)}
        # A machine that has no certificate yet may look at the authority and enrol, nothing else.
        ssl_client_certificate {cloud.ca}/ca.crt;
        ssl_verify_client optional;
        ssl_verify_depth 1;
        client_max_body_size {LARGEST_BODY};
        client_body_buffer_size 256k;
        include {cloud.etc}/headers.conf;
        proxy_set_header Connection "";
        proxy_set_header {CERTIFIED} "";
        proxy_http_version 1.1;
        proxy_connect_timeout 5s;
        proxy_redirect off;

        location / {{ return 404; }}
        location = /conductor/v1/authority {{ proxy_pass http://conductor; }}
        location = /conductor/v1/enrol {{ client_max_body_size 2m; proxy_pass http://conductor; }}
        location /conductor/v1/ {{
            default_type application/json;
            if ($ssl_client_verify != SUCCESS) {{ return 401 '{REFUSAL}'; }}
            include {cloud.etc}/headers.conf;
            proxy_set_header Connection "";
            proxy_set_header {CERTIFIED} $ssl_client_s_dn;
            proxy_read_timeout 300s;
            proxy_max_temp_file_size 0;
            proxy_pass http://conductor;
        }}
    }}
"""
