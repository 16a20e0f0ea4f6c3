from __future__ import annotations

from urllib.request import proxy_bypass

import pytest

from ops.credentials import without_proxy

ENDPOINTS = {
    "IDENTITY_ENDPOINT": "http://169.254.131.5:8081/msi/token",
    "MSI_ENDPOINT": "http://169.254.131.6:50342/oauth2/token",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://169.254.131.7",
}
DIRECT = (
    "localhost",
    "127.0.0.1",
    "169.254.169.254",
    *(f"169.254.131.{n}" for n in (5, 6, 7)),
)


@pytest.mark.parametrize(
    "given", [{}, {"NO_PROXY": "a.example, b.example"}, {"no_proxy": "a.example,b.example"}]
)
def test_identity_endpoints_are_excepted_from_the_proxy_of_the_environment(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = without_proxy(ENDPOINTS | given)
    assert made["no_proxy"] == made["NO_PROXY"]
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    assert all(map(proxy_bypass, DIRECT))
    assert all(bool(proxy_bypass(host)) is bool(given) for host in ("a.example", "b.example"))
    assert not proxy_bypass("login.microsoftonline.com")
