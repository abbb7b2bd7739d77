"""Structured logs: one JSON object a line, request ids bound, secrets removed, values bounded."""

from __future__ import annotations

import logging
import re
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from computecloud.core import context

SECRET_KEYS = re.compile(r"pass|secret|token|user_?data|authorization|credential|private|adminpass", re.IGNORECASE)
SECRET_TEXT = re.compile(r"\bcc_[A-Za-z0-9_-]{16,}|(?<=://)[^/@\s]*:[^/@\s]*(?=@)|(?<=token=)[^&\s\"]+")
LONGEST = 2000


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key != "event" and SECRET_KEYS.search(key) and not key.endswith("_id"):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = SECRET_TEXT.sub("***", value[:LONGEST])
    return event


def _bind_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    current = context.request_id.get()
    if current:
        event.setdefault("request_id", current)
    return event


def _dumps(value: Any, **_options: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def configure(level: str = "INFO") -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING, so that both speak the same language."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _bind_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(serializer=_dumps),
                ],
                "foreign_pre_chain": shared,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.request": {"level": "ERROR"},
            "django.security": {"level": "ERROR"},
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
        },
    }
