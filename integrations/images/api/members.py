"""With whom an image is shared, and what they said."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, accepts
from integrations.images import records
from integrations.images.api import shape
from integrations.images.api.schemas import MEMBER_CREATE, MEMBER_UPDATE
from integrations.images.models import MemberStatus


class ImageMemberViewSet(ServiceViewSet):
    """/v2/images/{id}/members."""

    service = "image"
    policy = {
        "list": "image:members_read",
        "retrieve": "image:members_read",
        "create": "image:members_write",
        "destroy": "image:members_write",
        "update": "image:members_answer",
    }

    def list(self, request: Any, image_id: str) -> HttpResponse:
        rows = records.members(self.actor, image_id)
        return answer({"members": [shape.member(row) for row in rows], "schema": "/v2/schemas/members"})

    def retrieve(self, request: Any, image_id: str, member_id: str) -> HttpResponse:
        return answer(shape.member(records.member(self.actor, image_id, member_id)))

    @accepts(MEMBER_CREATE)
    def create(self, request: Any, image_id: str, body: dict[str, Any]) -> HttpResponse:
        return answer(shape.member(records.share(self.actor, image_id, body["member"])))

    @accepts(MEMBER_UPDATE)
    def update(self, request: Any, image_id: str, member_id: str, body: dict[str, Any]) -> HttpResponse:
        status = MemberStatus(body["status"])
        return answer(shape.member(records.answer_offer(self.actor, image_id, member_id, status)))

    def destroy(self, request: Any, image_id: str, member_id: str) -> HttpResponse:
        records.unshare(self.actor, image_id, member_id)
        return empty(204)
