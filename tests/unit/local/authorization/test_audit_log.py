from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.authorization.audit_log import AuditLog, Page, Requester, as_json
from local.authorization.authorization import PERMISSIONS, Authorization, Decision
from local.authorization.grants import principals
from local.authorization.names import UNKNOWN, Names
from local.authorization.program import is_probe
from local.deployment.deployment import load
from local.deployment.resources import AccessPolicy, Deployment, RoleAssignment, RoleDefinition
from tests.pipeline.cloud_process import POLICIES_SNAPSHOT, ROOT, SNAPSHOT

ROLES = load(ROOT / "infra" / SNAPSHOT)
POLICIES = load(ROOT / "infra" / POLICIES_SNAPSHOT)
WHO = principals(ROLES)
OBJECTS = [
    *(vault.resource_id for vault in ROLES.vaults),
    *(key.resource_id for vault in ROLES.vaults for key in vault.keys),
    *(secret.resource_id for vault in ROLES.vaults for secret in vault.secrets),
    *(queue.resource_id for namespace in ROLES.namespaces for queue in namespace.queues),
]
ACTIONS = [
    *PERMISSIONS,
    "Microsoft.ServiceBus/namespaces/messages/send/action",
    "Microsoft.ServiceBus/namespaces/messages/receive/action",
]
KEY = next(key.resource_id for vault in ROLES.vaults for key in vault.keys if key.name == "payload")
ENCRYPT = "Microsoft.KeyVault/vaults/keys/encrypt/action"
SECRET = "SharedAccessSignature eyJhbGciOi whsec_planted"
MADE_UP = f"{KEY}-{SECRET}"


def granting(deployment: Deployment, refused: Decision) -> Deployment:
    """Give exactly what the decision says was missing."""
    missing = refused.missing
    assert missing is not None
    who = refused.principal_id
    if refused.model == "rbac":
        role = RoleDefinition("/roles/missing", "missing", (missing.action,), ())
        assignment = RoleAssignment("/a/missing", missing.scope, "/roles/missing", who)
        return dataclasses.replace(
            deployment,
            role_definitions=(*deployment.role_definitions, role),
            role_assignments=(*deployment.role_assignments, assignment),
        )
    assert missing.permission is not None
    kind, _, permission = missing.permission.partition("/")
    none: frozenset[str] = frozenset()
    keys, secrets = (
        frozenset({permission}) if kind == one else none for one in ("keys", "secrets")
    )
    policy = AccessPolicy(who, keys, secrets)
    return dataclasses.replace(
        deployment,
        vaults=tuple(
            dataclasses.replace(vault, policies=(*vault.policies, policy))
            if vault.resource_id == missing.scope
            else vault
            for vault in deployment.vaults
        ),
    )


@pytest.mark.parametrize("deployment", [ROLES, POLICIES], ids=["roles", "policies"])
@given(
    who=st.sampled_from(sorted(WHO)),
    action=st.sampled_from(ACTIONS),
    resource_id=st.sampled_from(OBJECTS),
    permission=st.sampled_from([None, "list", "get"]),
    withheld=st.booleans(),
)
def test_what_would_have_allowed_it_does(
    deployment: Deployment,
    who: str,
    action: str,
    resource_id: str,
    permission: str | None,
    *,
    withheld: bool,
) -> None:
    authorization = Authorization(deployment)
    if withheld:
        authorization.suspend(WHO[who])
    decision = authorization.decide(WHO[who], action, resource_id, permission=permission)
    assert (decision.missing is None) is decision.allowed
    if decision.missing is None:
        return
    assert decision.missing.suspended is withheld
    if decision.model == "accessPolicies" and decision.missing.permission is None:
        assert action not in PERMISSIONS  # no policy can name it
        return
    authorization.replace(granting(deployment, decision))
    authorization.restore(WHO[who])
    after = authorization.decide(WHO[who], action, resource_id, permission=permission)
    assert after.allowed
    # It is a grant to this one alone.
    assert not authorization.decide("nobody", action, resource_id, permission=permission).allowed


def decided(decisions: AuditLog, who: str, action: str, resource_id: str) -> None:
    authorization = Authorization(ROLES)
    decision = authorization.decide(WHO[who], action, resource_id)
    requester = Requester(WHO[who], "relay-sender-local", request_id="r-1")
    decisions.decided("vault", decision, requester)


def test_a_decision_says_who_what_and_why() -> None:
    decisions = AuditLog(Names(ROLES))
    decided(decisions, "encrypt", ENCRYPT, KEY)
    decided(decisions, "decrypt", ENCRYPT, KEY)
    allowed, refused = decisions.after(0, 10).decisions
    assert (allowed.n, allowed.app, allowed.identity) == (1, "sender", "encrypt")
    assert (allowed.allowed, allowed.object, allowed.action) == (True, "key payload", ENCRYPT)
    assert allowed.by is not None
    assert "/roleAssignments/" in allowed.by
    assert allowed.because == "role 'Relay encrypt with a key (local)' at key payload"
    assert (refused.n, refused.allowed, refused.by, refused.request) == (2, False, None, "r-1")
    assert refused.resource == KEY
    assert refused.principal == WHO["decrypt"]
    assert refused.because == f"needs a role permitting {ENCRYPT} at key payload"


def test_a_decision_by_access_policies_names_the_permission() -> None:
    decisions, authorization = AuditLog(Names(POLICIES)), Authorization(POLICIES)
    who = principals(POLICIES)
    for name in ("encrypt", "decrypt"):
        decision = authorization.decide(who[name], ENCRYPT, KEY)
        decisions.decided("vault", decision, Requester(who[name]))
    authorization.suspend(who["encrypt"])
    decisions.decided("vault", authorization.decide(who["encrypt"], ENCRYPT, KEY), Requester())
    assert [one.because for one in decisions.after(0, 10).decisions] == [
        "access policy keys/encrypt in vault payload-local",
        "needs access policy keys/encrypt in vault payload-local",
        "needs its grants, which are suspended",
    ]


def test_the_oldest_make_room_and_are_said_to_be_gone() -> None:
    decisions = AuditLog(Names(ROLES), size=10)
    for _ in range(25):
        decided(decisions, "encrypt", ENCRYPT, KEY)

    def numbers(page: Page) -> list[int]:
        return [one.n for one in page.decisions]

    everything = decisions.after(0, 100)
    assert numbers(everything) == list(range(16, 26))
    assert (everything.last, everything.dropped) == (25, 15)
    some = decisions.after(10, 3)
    assert (numbers(some), some.dropped) == ([16, 17, 18], 5)
    following = decisions.after(18, 3)
    assert (numbers(following), following.dropped) == ([19, 20, 21], 0)
    assert numbers(decisions.after(25, 3)) == []
    assert numbers(decisions.after(10**12, 3)) == []


def test_many_threads_leave_no_gap_and_no_double() -> None:
    decisions = AuditLog(Names(ROLES), size=500)

    def work(_: int) -> None:
        decided(decisions, "encrypt", ENCRYPT, KEY)
        decisions.after(0, 50)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(400)))
    assert [one.n for one in decisions.after(0, 500).decisions] == list(range(1, 401))


def test_nothing_that_a_client_made_up_is_kept() -> None:
    decisions, authorization = AuditLog(Names(ROLES)), Authorization(ROLES)
    requester = Requester(WHO["encrypt"], "relay-sender-local")
    decisions.decided("vault", authorization.decide(WHO["encrypt"], ENCRYPT, MADE_UP), requester)
    decisions.refused(
        "bus", requester, None, f"{ROLES.namespaces[0].resource_id}/queues/{SECRET}", "x"
    )
    decisions.token_refused(requester, SECRET)
    kept = decisions.after(0, 10)
    assert SECRET not in json.dumps(as_json(kept))
    assert [one.object for one in kept.decisions] == [
        f"key {UNKNOWN}",
        f"queue {UNKNOWN}",
        f"identity {UNKNOWN}",
    ]
    assert [one.resource for one in kept.decisions] == [None, None, None]


def test_tokens_given_and_not_given() -> None:
    decisions = AuditLog(Names(ROLES))
    encrypt = next(one for one in ROLES.identities if one.name.startswith("encrypt"))
    requester = Requester(encrypt.principal_id, "relay-sender-local")
    decisions.token_issued(requester, encrypt.resource_id)
    requester = Requester(app="relay-receiver-local")
    for selected in (encrypt.client_id.upper(), encrypt.principal_id, encrypt.resource_id, None):
        decisions.token_refused(requester, selected)
    given, *others = decisions.after(0, 10).decisions
    assert (given.app, given.identity, given.action) == ("sender", "encrypt", "token")
    assert (given.allowed, given.because) == (True, "it is an identity of sender")
    assert [(one.app, one.identity, one.because) for one in others] == [
        *[("receiver", None, "needs identity encrypt attached to receiver")] * 3,
        ("receiver", None, "needs a system-assigned identity of receiver"),
    ]


def test_uses_are_counted_by_right_and_app_and_outlive_the_ring() -> None:
    decisions = AuditLog(Names(ROLES), size=1)
    sender = Requester(WHO["encrypt"], "relay-sender-local")
    use = decisions.use(sender, "encrypt", KEY)
    use.once_more()
    decisions.use(sender, "encrypt", KEY.upper()).once_more(2)
    decisions.use(Requester(WHO["encrypt"].upper()), "encrypt", KEY).once_more()
    decisions.use(sender, "wrapKey", KEY)  # asked for and never used
    for _ in range(5):
        decided(decisions, "decrypt", ENCRYPT, KEY)
    (used,) = decisions.uses()
    assert str(used.pop("last")).endswith("+00:00")
    assert used == {
        "identity": "encrypt",
        "kind": "key",
        "object": "payload",
        "operation": "encrypt",
        "count": 4,
        "apps": {"sender": 3, "?": 1},
    }


def test_the_apps_own_proof_is_told_apart_and_not_counted() -> None:
    decisions = AuditLog(Names(ROLES))
    probe = Requester(WHO["encrypt"], probe=True)
    decisions.use(probe, "encrypt", KEY).once_more()
    assert decisions.uses() == []
    decisions.refused("vault", probe, None, KEY, "x")
    assert decisions.after(0, 1).decisions[0].probe
    assert is_probe("relay-access/1 azsdk-python-keyvault-keys/4.11.3 Python/3.11")
    assert not is_probe("azsdk-python-keyvault-keys/4.11.3 Python/3.11")
    assert not is_probe(None)
