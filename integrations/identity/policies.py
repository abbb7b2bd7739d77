"""Who may do what in Identity, under Keystone's rule names.

ANYONE rules are narrowed in the view by ``integrations.identity.authority``: one's own user and projects, or what an
administrator (cloud, or of the domain with a domain-scoped token) may see and change.
"""

from __future__ import annotations

from computecloud.http.policy import ADMIN, ANYONE, PUBLIC, Allow, Rule

_NARROWED = "narrowed to one's own, to the domain for its manager, to all for an administrator"


def _rules(allow: Allow, description: str, names: str) -> list[Rule]:
    return [Rule(f"identity:{name}", allow, description) for name in names.split()]


RULES: list[Rule] = [
    *_rules(PUBLIC, "Version documents and login.", "get_version authenticate"),
    *_rules(
        ANYONE,
        "About the caller's own token and rights.",
        "validate_token check_token revoke_token get_auth_catalog get_auth_projects get_auth_domains get_auth_system",
    ),
    *_rules(
        ANYONE,
        f"Read: {_NARROWED}.",
        "get_project list_projects list_user_projects list_project_tags get_project_tag get_user list_users"
        " get_group list_groups list_groups_for_user list_users_in_group check_user_in_group get_domain list_domains"
        " get_role list_roles list_grants check_grant list_role_assignments"
        " get_application_credential list_application_credentials get_credential list_credentials"
        " get_region list_regions",
    ),
    *_rules(
        ANYONE,
        f"Write: {_NARROWED}.",
        "change_password create_application_credential delete_application_credential"
        " create_credential update_credential delete_credential"
        " create_user update_user delete_user create_group update_group delete_group"
        " add_user_to_group remove_user_from_group create_project update_project delete_project"
        " update_project_tags create_project_tag delete_project_tag delete_project_tags create_grant revoke_grant",
    ),
    *_rules(
        ADMIN,
        "The whole cloud's settings.",
        "create_domain update_domain delete_domain create_role update_role delete_role"
        " get_implied_role list_implied_roles create_implied_role delete_implied_role check_implied_role"
        " list_role_inference_rules list_system_grants_for_user check_system_grant_for_user"
        " create_system_grant_for_user revoke_system_grant_for_user"
        " get_service list_services create_service update_service delete_service"
        " get_endpoint list_endpoints create_endpoint update_endpoint delete_endpoint"
        " create_region update_region delete_region",
    ),
]
