"""Django's settings, made from ``computecloud.conf``. A compute host gets a dummy database: a query fails at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url

from computecloud.celery import app as celery_app
from computecloud.conf import conf
from computecloud.core import logs
from dashboard.theme import UNFOLD as THEME_SETTINGS

__all__ = ["celery_app"]  # every process that has settings publishes through this application

CONF = conf()
BASE_DIR = Path(__file__).resolve().parents[2]

SECRET_KEY = CONF.secret_key or ("agent" * 8 if CONF.role == "agent" else "")
SECRET_KEY_FALLBACKS = list(CONF.previous_secret_keys)
DEBUG = CONF.debug
ALLOWED_HOSTS = list(CONF.allowed_hosts)
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "identity.User"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024  # bodies are capped far lower at the door; the conductor takes lists

OUR_APPS = [
    "operations",
    "integrations.identity",
    "integrations.images",
    "integrations.networks",
    "hosts",
    "scheduling",
    "instances",
    "tasks",
]
# In their plain forms: only the URL map of the pages loads them whole (dashboard.site).
THEME = ["unfold.apps.BasicAppConfig", "unfold.contrib.filters", "django.contrib.admin.apps.SimpleAdminConfig"]
WEB_APPS = [
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "drf_spectacular",
]
INSTALLED_APPS = [
    *(THEME if CONF.role == "cloud" else []),
    "django.contrib.auth",
    "django.contrib.contenttypes",
    *(WEB_APPS if CONF.role == "cloud" else []),
    "rest_framework",
    *OUR_APPS,
    *(["dashboard"] if CONF.role == "cloud" else []),
]

MIDDLEWARE = ["computecloud.http.middleware.RequestMiddleware"]
if CONF.role == "cloud":
    MIDDLEWARE += ["computecloud.http.web.WebOnlyMiddleware"]
ROOT_URLCONF = "computecloud.urls" if CONF.role == "cloud" else "computecloud.urls_conductor"
WSGI_APPLICATION = "computecloud.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "dashboard" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database() -> dict[str, Any]:
    if CONF.role == "agent":
        return {"ENGINE": "django.db.backends.dummy"}
    database: dict[str, Any] = dict(
        dj_database_url.parse(CONF.database_url, conn_max_age=None, conn_health_checks=False)
    )
    if database["ENGINE"].endswith("sqlite3"):
        database["ENGINE"] = "computecloud.db.sqlite"
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8000;",
        }
    else:
        options = database.setdefault("OPTIONS", {})
        options["options"] = "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s"
        if CONF.database_pooler:
            database["DISABLE_SERVER_SIDE_CURSORS"] = True
        else:
            options |= {"server_side_binding": True, "prepare_threshold": 2}
    return database


DATABASES = {"default": _database()}

PASSWORD_HASHERS = [
    "integrations.identity.hashers.CloudArgon2Hasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["dashboard.login.IdentityBackend"]

REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "computecloud.http.faults.handle",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "computecloud.http.renderers.AlwaysJson",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "UNAUTHENTICATED_USER": None,
}

UNFOLD = THEME_SETTINGS

STATIC_URL = "/static/"
STATIC_ROOT = str(Path(CONF.state_dir) / "static")

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_NAME = "computecloud_session"
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 365 * 86400 if CONF.public_url.startswith("https:") else 0
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CONF.public_url.startswith("https:")
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
CSRF_TRUSTED_ORIGINS = [CONF.public_url]
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
LOGIN_URL = "/admin/login/"

LOGGING = logs.configure(CONF.log_level)
LOGGING_CONFIG = "logging.config.dictConfig"
# Sessions, authentication and messages run inside computecloud.http.web, for pages only.
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]
