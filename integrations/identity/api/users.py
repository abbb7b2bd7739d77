"""Users and groups."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse

from computecloud.http.answers import answer, empty
from computecloud.http.clients import address_of
from computecloud.http.views import ServiceViewSet, accepts, query
from integrations.identity.actions import groups as group_actions
from integrations.identity.actions import users as actions
from integrations.identity.api import lists, schemas, shapes
from integrations.identity.authority import found, readable, writable
from integrations.identity.errors import EntityNotFound
from integrations.identity.models import Group, GroupMember, User


class UserViewSet(ServiceViewSet):
    """``/v3/users``."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_users",
        "create": "identity:create_user",
        "show": "identity:get_user",
        "update": "identity:update_user",
        "delete": "identity:delete_user",
        "password": "identity:change_password",
        "groups": "identity:list_groups_for_user",
    }

    @query(lists.allowed("name", "domain_id", "enabled", "default_project_id", *lists.NAME_FORMS))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        rows = readable(User.objects.filter(lists.by_name(params)), self.actor, "list_users")
        same = {"domain_id": "domain_id", "default_project_id": "default_project_id"}
        rows = lists.filtered(rows, params, same=same, flags=("enabled",))
        return lists.listed(request, "users", rows, params, shapes.user)

    @accepts(schemas.CREATE_USER)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return answer({"user": shapes.user(actions.create(self.actor, body["user"]))}, 201)

    def show(self, request: Any, user_id: str) -> HttpResponse:
        rows = User.objects.all()
        if user_id != self.actor.user_id:
            rows = readable(rows, self.actor, "get_user")
        return answer({"user": shapes.user(found(rows, "user", user_id))})

    @accepts(schemas.UPDATE_USER)
    def update(self, request: Any, user_id: str, body: dict[str, Any]) -> HttpResponse:
        row = found(writable(User.objects.all(), self.actor, "update_user"), "user", user_id)
        return answer({"user": shapes.user(actions.update(self.actor, row, body["user"]))})

    def delete(self, request: Any, user_id: str) -> HttpResponse:
        actions.delete(self.actor, found(writable(User.objects.all(), self.actor, "delete_user"), "user", user_id))
        return empty()

    @accepts(schemas.CHANGE_PASSWORD)
    def password(self, request: Any, user_id: str, body: dict[str, Any]) -> HttpResponse:
        old, new = body["user"]["original_password"], body["user"]["password"]
        actions.change_password(user_id, old, new, address_of(request._request))
        return empty()

    @query(lists.allowed("name", *lists.NAME_FORMS))
    def groups(self, request: Any, user_id: str, params: lists.Params) -> HttpResponse:
        rows = Group.objects.filter(lists.by_name(params), members__user_id=user_id)
        if user_id != self.actor.user_id:
            rows = readable(rows, self.actor, "list_groups_for_user")
            found(User.objects.all(), "user", user_id)
        return lists.listed(request, "groups", rows, params, shapes.group)


class GroupViewSet(ServiceViewSet):
    """``/v3/groups`` and who is in them."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_groups",
        "create": "identity:create_group",
        "show": "identity:get_group",
        "update": "identity:update_group",
        "delete": "identity:delete_group",
        "users": "identity:list_users_in_group",
        "check": "identity:check_user_in_group",
        "add": "identity:add_user_to_group",
        "remove": "identity:remove_user_from_group",
    }

    def _readable(self, group_id: str, action: str) -> Group:
        return found(readable(Group.objects.all(), self.actor, action), "group", group_id)

    def _writable(self, group_id: str, action: str) -> Group:
        return found(writable(Group.objects.all(), self.actor, action), "group", group_id)

    @query(lists.allowed("name", "domain_id", *lists.NAME_FORMS))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        rows = readable(Group.objects.filter(lists.by_name(params)), self.actor, "list_groups")
        rows = lists.filtered(rows, params, same={"domain_id": "domain_id"})
        return lists.listed(request, "groups", rows, params, shapes.group)

    @accepts(schemas.CREATE_GROUP)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return answer({"group": shapes.group(group_actions.create(self.actor, body["group"]))}, 201)

    def show(self, request: Any, group_id: str) -> HttpResponse:
        return answer({"group": shapes.group(self._readable(group_id, "get_group"))})

    @accepts(schemas.UPDATE_GROUP)
    def update(self, request: Any, group_id: str, body: dict[str, Any]) -> HttpResponse:
        row = group_actions.update(self._writable(group_id, "update_group"), body["group"])
        return answer({"group": shapes.group(row)})

    def delete(self, request: Any, group_id: str) -> HttpResponse:
        group_actions.delete(self._writable(group_id, "delete_group"))
        return empty()

    @query(lists.allowed("name", "enabled", *lists.NAME_FORMS))
    def users(self, request: Any, group_id: str, params: lists.Params) -> HttpResponse:
        group = self._readable(group_id, "list_users_in_group")
        rows = User.objects.filter(lists.by_name(params), memberships__group=group)
        rows = lists.filtered(rows, params, same={}, flags=("enabled",))
        return lists.listed(request, "users", rows, params, shapes.user)

    def check(self, request: Any, group_id: str, user_id: str) -> HttpResponse:
        group = self._readable(group_id, "check_user_in_group")
        if not GroupMember.objects.filter(group=group, user_id=user_id).exists():
            raise EntityNotFound(kind="user in group", id=user_id)
        return empty()

    def add(self, request: Any, group_id: str, user_id: str) -> HttpResponse:
        group = self._writable(group_id, "add_user_to_group")
        user = found(writable(User.objects.all(), self.actor, "add_user_to_group"), "user", user_id)
        group_actions.add(self.actor, group, user)
        return empty()

    def remove(self, request: Any, group_id: str, user_id: str) -> HttpResponse:
        group = self._writable(group_id, "remove_user_from_group")
        user = found(writable(User.objects.all(), self.actor, "remove_user_from_group"), "user", user_id)
        group_actions.remove(self.actor, group, user)
        return empty()
