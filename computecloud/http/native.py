"""What every resource of our own API (/api/v1) shares: reading, filters by django-filter, pages by marker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.utils.encoding import force_str
from rest_framework.pagination import BasePagination
from rest_framework.viewsets import GenericViewSet

from computecloud.core.errors import Invalid, NotFound
from computecloud.http.answers import answer
from computecloud.http.pagination import MAX_LIMIT, keyset, limit_of, next_link
from computecloud.http.views import ServiceMixin

DEFAULT_LIMIT = 100


class _Truth(forms.NullBooleanField):
    """True or false in the words of JSON; anything else is refused, not taken for a question that was not asked."""

    def to_python(self, value: Any) -> bool | None:  # type: ignore[override]  # its stub forgets None
        if value is None:
            return None
        try:
            return {"true": True, "false": False}[str(value).lower()]
        except KeyError:
            raise forms.ValidationError("true or false") from None


class BooleanFilter(django_filters.BooleanFilter):
    """django-filter's own takes what it does not understand for no filter at all."""

    field_class = _Truth

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, widget=forms.TextInput, **kwargs)


class MarkerPagination(BasePagination):
    """``limit`` and ``marker`` (the last id of the page before); the answer names the next page's address, or null."""

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "limit",
                "in": "query",
                "description": f"How many at most; 0 and more than {MAX_LIMIT} are taken as {MAX_LIMIT}.",
                "schema": {"type": "integer", "minimum": 0, "default": DEFAULT_LIMIT},
            },
            {
                "name": "marker",
                "in": "query",
                "description": "The id of the last row of the page before.",
                "schema": {"type": "string"},
            },
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": schema,
                "next": {"type": "string", "format": "uri", "nullable": True, "description": "The next page."},
            },
        }


class ReadViewSet(ServiceMixin, GenericViewSet[Any]):
    """List and show. A subclass names its queryset, serializer, filters and order; unknown query names are refused."""

    service = "native"
    pagination_class = MarkerPagination
    lookup_field = "id"
    format_kwarg = None  # our door does not negotiate content
    sort: ClassVar[Sequence[tuple[str, str]]] = (("created_at", "desc"), ("id", "desc"))

    def visible(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that the actor may see."""
        return rows

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        return rows.none() if getattr(self, "swagger_fake_view", False) else self.visible(rows)

    def list(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        params = request._request.GET
        self._refuse_unknown(set(params))
        self._refuse_empty(params)
        limit = limit_of(dict(params.lists())) if "limit" in params else DEFAULT_LIMIT
        rows = self.filter_queryset(self.get_queryset())
        page = list(keyset(rows, self.sort, self._marker(params.get("marker")), limit + 1))
        more = next_link(request, str(page[limit - 1].pk), limit) if len(page) > limit else None
        return answer({"items": self.get_serializer(page[:limit], many=True).data, "next": more})

    def retrieve(self, request: Any, id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        row = self._row(id)
        if row is None:
            raise NotFound
        return answer(self.get_serializer(row).data)

    def _marker(self, text: str | None) -> Model | None:
        if text is None:
            return None
        row = self._row(text)
        if row is None:
            raise Invalid("The marker names no row that you can see.")
        return row

    def _row(self, text: str) -> Model | None:
        """The row of that key, if the actor may see one; text that is no key of this model names none."""
        rows = self.get_queryset()
        try:
            key = rows.model._meta.pk.to_python(text)
        except ValidationError:
            return None
        found: Model | None = rows.filter(pk=key).first()
        return found

    def _refuse_empty(self, params: Mapping[str, str]) -> None:
        """A filter that was meant and has no value would answer everything."""
        for name, value in params.items():
            if not value:
                raise Invalid(f"The query parameter {name} has no value.")

    def _refuse_unknown(self, asked: set[str]) -> None:
        filters = getattr(self, "filterset_class", None)
        known = {"limit", "marker", *(filters.base_filters if filters else ())}
        unknown = sorted(asked - known)
        if unknown:
            raise Invalid(
                f"Unknown query parameter: {force_str(unknown[0])[:60]}. Known are: {', '.join(sorted(known))}."
            )
