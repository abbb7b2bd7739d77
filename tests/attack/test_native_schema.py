"""The native API against its own OpenAPI document: Schemathesis asks what the document allows, and what it does not.

Every answer must be as documented: status, media type, shape, headers; what the document forbids must be refused, and
nothing may be a server's fault or a long refusal.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.attack.conftest import RunningTenant
from tests.contract.isolation import ROUTES
from tests.contract.test_fuzz import LONGEST_ERROR
from tests.support.running import RunningCloud

pytestmark = pytest.mark.faults
# ``positive_data_acceptance`` is left out: a marker may be any text, and is refused when it names no row.
EXAMPLES = 20
"""For each operation, person and way of making requests."""


def operations(running: RunningCloud) -> list[APIOperation]:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{running.port}/api/v1/schema")
    found = [one.ok() for one in schema.get_all_operations()]
    ours = [verb for route in ROUTES if route.service == "native" for verb in route.actions]
    assert len(found) == len(ours) - 1, "the document describes every route but its own"
    return found


@pytest.mark.row("S31")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize("who", ["as_member", "anonymous"])
def test_the_native_api_keeps_its_word(
    running: RunningCloud, tenant: RunningTenant, mode: GenerationMode, who: str
) -> None:
    token = getattr(tenant.cloud, who).token
    headers = {"X-Auth-Token": token} if token else {}
    for operation in operations(running):

        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            answer = case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])
            assert answer.status_code < 400 or len(answer.content) < LONGEST_ERROR

        ask()
