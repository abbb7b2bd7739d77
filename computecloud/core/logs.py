"""Structured logs: one JSON object a line, request ids bound, secrets removed, values bounded."""

from __future__ import annotations

import logging
import re
from itertools import islice
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from computecloud.core import context

SECRET_KEYS = re.compile(r"pass|secret|token|user_?data|authorization|credential|private|adminpass", re.IGNORECASE)
SECRET_TEXT = re.compile(r"\bcc_[A-Za-z0-9_-]{16,}|(?<=://)[^/@\s]*:[^/@\s]*(?=@)|(?<=token=)[^&\s\"]+")
LONGEST = 2000
MOST, DEEPEST = 50, 4


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        event[key] = _clean(key, value)
    return event


def _clean(key: str, value: Any, depth: int = 0) -> Any:
    """What may be written of a value: secrets not at all, texts and lists up to a length, to a depth of four."""
    if key != "event" and not key.endswith("_id") and SECRET_KEYS.search(key):
        return "***"
    if isinstance(value, str):
        return SECRET_TEXT.sub("***", value[:LONGEST])
    if isinstance(value, dict | list | tuple) and depth == DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {str(name)[:100]: _clean(str(name), one, depth + 1) for name, one in islice(value.items(), MOST)}
    if isinstance(value, list | tuple):
        return [_clean(key, one, depth + 1) for one in value[:MOST]]
    if value is None or isinstance(value, bool | int | float):
        return value
    return SECRET_TEXT.sub("***", str(value)[:LONGEST])


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
