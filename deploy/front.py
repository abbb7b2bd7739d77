"""nginx as the one origin: what it serves, what it refuses, and what it never passes on."""

from __future__ import annotations

import hashlib
import os

from deploy import gate
from deploy.cloud import Cloud
from deploy.files import write_private

API_BODY = "256k"
MARK = "which-cloud.txt"
IMAGE_BODY = "50g"  # the default of image_max_bytes, which the API enforces before and while it takes one
# Identity claims that a client might send; the API believes tokens only, and never sees these (security row S43).
# Names with underscores are dropped by nginx itself.
FORGED = [
    "X-Roles", "X-Role", "X-User", "X-User-Id", "X-User-Name", "X-User-Domain-Id", "X-User-Domain-Name",
    "X-Project-Id", "X-Project-Name", "X-Project-Domain-Id", "X-Project-Domain-Name", "X-Tenant", "X-Tenant-Id",
    "X-Tenant-Name", "X-Domain-Id", "X-Domain-Name", "X-Identity-Status", "X-Service-Identity-Status",
    "X-Service-Roles", "X-Service-User-Id", "X-Is-Admin", "X-Is-Admin-Project", "X-Instance-ID",
    "X-Instance-ID-Signature", "Remote-User", "X-Remote-User", "X-Forwarded-User", "Forwarded", "X-Forwarded-Host",
    "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Original-URI", "X-Accel-Redirect", "Proxy",
]  # fmt: skip

IMAGE_TOO_LARGE = (
    f'{{"code": "413 Request Entity Too Large", "title": "Request Entity Too Large", '
    f'"message": "The image is larger than the {IMAGE_BODY[:-1]} GiB allowed here."}}'
)
TOO_LARGE = "The request body is larger than {limit} allowed here."
UNAVAILABLE = (
    "The service is starting or overloaded; try again in a few seconds. "
    "A request that changes something may have been carried out all the same: look first."
)


def write_config(cloud: Cloud, *, has_console: bool) -> None:
    """``<state>/etc/nginx.conf``, and the headers that several locations share."""
    write_private(cloud.static / MARK, mark(cloud))
    write_private(cloud.etc / "headers.conf", headers())
    write_private(cloud.etc / "nginx.conf", text(cloud, has_console=has_console))


def mark(cloud: Cloud) -> str:
    """A word that tells this cloud's front from another's that got the port first. It gives nothing away."""
    return hashlib.sha256(f"{cloud.state}\n{cloud.state.stat().st_ino}".encode()).hexdigest()


def headers() -> str:
    """Headers of any request that is passed on: who really asks, and no forged identity."""
    lines = [
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        *(f'proxy_set_header {name} "";' for name in FORGED),
    ]
    return "\n".join(lines) + "\n"


def _envelopes(code: int, text: str) -> str:
    """One JSON body per service for errors that nginx itself answers, in that service's own shape."""
    compute = {413: "overLimit", 503: "serviceUnavailable"}[code]
    title = {413: "Request Entity Too Large", 503: "Service Unavailable"}[code]
    shapes = {
        "default": f'{{"{compute}": {{"code": {code}, "message": "{text}"}}}}',
        "~^/identity": f'{{"error": {{"code": {code}, "message": "{text}", "title": "{title}"}}}}',
        "~^/image": f'{{"code": "{code} {title}", "title": "{title}", "message": "{text}"}}',
        "~^/network": f'{{"NeutronError": {{"type": "{title.replace(" ", "")}", "message": "{text}", "detail": ""}}}}',
        "~^/placement": f'{{"errors": [{{"status": {code}, "title": "{title}", "detail": "{text}"}}]}}',
    }
    rows = "\n".join(f"        {pattern} '{shape}';" for pattern, shape in shapes.items())
    return f"    map $uri $envelope_{code} {{\n{rows}\n    }}\n"


def _refusals() -> str:
    """A line for each status that the API may refuse image bytes with: nginx's ``return`` takes constants only."""
    codes = (400, 401, 404, 409, 411, 413, 415, 503)
    return "\n".join(f"            if ($refusal_status = {code}) {{ return {code} $refusal; }}" for code in codes)


def _admin_rule(cloud: Cloud) -> str:
    allowed = "".join(f" allow {network};" for network in cloud.wish.admin_networks)
    return f"{allowed} deny all; error_page 403 =404 @hidden;"


def _long_lived(shared: str) -> str:
    """Consoles and event streams: they stay open, and nothing of them is logged."""
    return f"""\
        location ~ ^/(console/|websockify|dashboard/events|api/v1/events/stream) {{
            {shared}
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_buffering off;
            proxy_read_timeout 3600s;
            proxy_send_timeout 3600s;
            access_log off;
            proxy_pass http://console;
        }}

"""


def text(cloud: Cloud, *, has_console: bool) -> str:
    """The whole nginx.conf."""
    user = "user root;" if os.geteuid() == 0 else ""
    shared = f"include {cloud.etc}/headers.conf;"
    listen = f"[{cloud.wish.listen}]" if ":" in cloud.wish.listen else cloud.wish.listen
    return f"""\
{user}
worker_processes 1;
daemon off;
pid {cloud.run}/.nginx.pid;
error_log stderr warn;
pcre_jit on;
events {{ worker_connections 2048; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    # No query strings: they may carry console tokens.
    log_format plain '$time_iso8601 $remote_addr $request_method $uri $status $body_bytes_sent '
                     '$request_time $upstream_http_x_openstack_request_id';
    access_log {cloud.log}/front-access.log plain buffer=32k flush=5s;
    client_body_temp_path {cloud.run}/front-body;
    proxy_temp_path {cloud.run}/front-proxy;
    fastcgi_temp_path {cloud.run}/front-unused;
    uwsgi_temp_path {cloud.run}/front-unused;
    scgi_temp_path {cloud.run}/front-unused;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 65s;
    keepalive_requests 100000;
    client_header_timeout 15s;
    client_body_timeout 60s;
    send_timeout 60s;
    large_client_header_buffers 4 16k;
    client_body_buffer_size {API_BODY};
    client_max_body_size {API_BODY};
    proxy_buffers 16 64k;
    proxy_buffer_size 64k;
    proxy_busy_buffers_size 128k;
    reset_timedout_connection on;

{_envelopes(413, TOO_LARGE.format(limit="256 KiB"))}
{_envelopes(503, UNAVAILABLE)}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}

    upstream api {{ server unix:{cloud.run}/api.sock; keepalive 32; keepalive_requests 100000; }}
    {f"upstream console {{ server unix:{cloud.run}/console.sock; keepalive 8; }}" if has_console else ""}
    upstream flower {{ server unix:{cloud.run}/flower.sock; }}

    server {{
        listen {listen}:{cloud.wish.port}{" ssl" if cloud.wish.tls else ""} backlog=1024;
        server_name _;
{gate.tls_lines(cloud) if cloud.wish.tls else ""}        absolute_redirect off;
        {shared}
        proxy_set_header Connection "";
        proxy_http_version 1.1;
        proxy_connect_timeout 5s;
        proxy_redirect off;
        error_page 413 @too_large;
        error_page 502 503 504 =503 @unavailable;

        # Paths that begin with two slashes name no place here; followed carelessly they would name another site.
        if ($request_uri ~ "^//") {{ return 404; }}

        location / {{ proxy_pass http://api; }}
        # The two dashboards are pages for people; all else speaks JSON.
        location = / {{ return 302 /dashboard/; }}

        # Image bytes. Before a byte of a body is taken, the API says whether it wants it. Then it is gathered here: a
        # slow client holds none of the API's few threads, and a chunked body that broke off never gets there (behind us
        # nobody could tell it from a whole one). Downloads are checked by the API and sent from here.
        location ~ ^/image/v2/images/[^/]+/file$ {{
            client_max_body_size {IMAGE_BODY};
            auth_request /.image-check;
            auth_request_set $refusal_status $upstream_http_x_refusal_status;
            auth_request_set $refusal $upstream_http_x_refusal;
            error_page 403 = @image_refused;
            error_page 413 @image_too_large;
            error_page 502 503 504 =503 @unavailable;
            proxy_next_upstream off;
            proxy_read_timeout 3600s;
            proxy_send_timeout 3600s;
            proxy_pass http://api;
        }}
        location = /.image-check {{
            internal;
            client_max_body_size 0;
            proxy_pass_request_body off;
            {shared}
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header X-Image-Method $request_method;
            proxy_set_header X-Image-Path $request_uri;
            proxy_set_header X-Body-Length $content_length;
            proxy_set_header X-Body-Coding $http_transfer_encoding;
            proxy_pass http://api/image/v2/upload-check;
        }}
        # Told by nginx itself: whatever is passed on from here would take the body first.
        location @image_refused {{
            internal; default_type application/json;
            add_header X-OpenStack-Request-Id $upstream_http_x_openstack_request_id always;
{_refusals()}
            return 403 $refusal;
        }}
        location @image_too_large {{
            internal; default_type application/json;
            add_header X-OpenStack-Request-Id req-$request_id always;
            return 413 '{IMAGE_TOO_LARGE}';
        }}
        location /.image-bytes/ {{
            internal;
            alias {cloud.state}/images/;
            disable_symlinks on from=$document_root;
            add_header Content-MD5 $upstream_http_content_md5 always;
            add_header X-OpenStack-Request-Id $upstream_http_x_openstack_request_id always;
        }}

        location /admin/ {{ {_admin_rule(cloud)} client_max_body_size 2m; proxy_pass http://api; }}

        location /static/ {{
            alias {cloud.static}/;
            try_files $uri =404;
            add_header X-Content-Type-Options nosniff always;
            add_header Cache-Control "public, max-age=3600";
            access_log off;
        }}

{_long_lived(shared) if has_console else ""}        # Celery Flower, for logged-in administrators, to look at only.
        location = /flower {{ return 301 /flower/; }}
        location /flower/ {{
            auth_request /.auth-check;
            error_page 401 = @login;
            limit_except GET HEAD {{ deny all; }}
            {shared}
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Cookie "";
            proxy_set_header Authorization "";
            proxy_read_timeout 3600s;
            proxy_pass http://flower;
        }}
        location = /.auth-check {{
            internal;
            proxy_pass_request_body off;
            {shared}
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_pass http://api/dashboard/auth-check;
        }}
        location @login {{ return 302 /admin/login/?next=$request_uri; }}

        # Internal doors that must not open here, whatever the application thinks.
        location /conductor {{ return 404; }}

        location @hidden {{ internal; default_type application/json; return 404 '{{}}'; }}
        location @too_large {{
            internal; default_type application/json;
            add_header X-OpenStack-Request-Id req-$request_id always;
            return 413 $envelope_413;
        }}
        location @unavailable {{
            internal; default_type application/json;
            add_header Retry-After 2 always;
            add_header X-OpenStack-Request-Id req-$request_id always;
            return 503 $envelope_503;
        }}
    }}
{f"    include {cloud.etc}/{gate.FILE};" if cloud.wish.tls else ""}
}}
"""
