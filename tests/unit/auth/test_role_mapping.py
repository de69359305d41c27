"""Which claim gives which role."""

from typing import Any

import pytest

from heltig.auth.role_mapping import RoleMapping
from heltig.errors import ConfigurationError

DN = "CN=PACS QA,OU=Radiology"
MAPPING = ["readers=reader", f"{DN}=qa_operator", f"{DN}=reviewer", "write = admin"]


@pytest.mark.parametrize(
    ("claim", "claims", "roles"),
    [
        ("roles", {"roles": ["readers", "others"]}, {"reader"}),
        ("roles", {"roles": [DN, DN, "Readers"]}, {"qa_operator", "reviewer"}),
        ("groups", {"groups": DN, "roles": ["readers"]}, {"qa_operator", "reviewer"}),
        ("groups", {"groups": "readers write"}, set()),
        ("scp", {"scp": "readers write"}, {"reader", "admin"}),
        ("realm_access.roles", {"realm_access": {"roles": ["write"]}}, {"admin"}),
        ("https://heltig.example/roles", {"https://heltig.example/roles": ["write"]}, {"admin"}),
        ("access.heltig.example.roles", {"access": {"heltig.example": {"roles": ["write"]}}}, {"admin"}),
        ("realm_access.roles", {"realm_access": ["roles"]}, set()),
        ("roles", {"roles": None, "_claim_names": {"roles": "src1"}}, set()),
        ("roles", {}, set()),
    ],
)
def test_roles_come_of_values_that_the_settings_name(
    claim: str, claims: dict[str, Any], roles: set[str]
) -> None:
    mapping = RoleMapping(claim, MAPPING)
    assert mapping.roles(mapping.granted(claims)) == roles


@pytest.mark.parametrize("entry", ["readers", "=reader", "readers=", "readers=boss", "readers=Reader"])
def test_a_mapping_that_is_none_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=r"HELTIG_OIDC_ROLES: .*expected VALUE=ROLE"):
        RoleMapping("roles", [entry])
