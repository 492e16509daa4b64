"""What ingest cannot do without is asked for at the start."""

from __future__ import annotations

import pytest

from services.ingest.app import build, publisher_tokens
from shared.settings import Settings, SettingsError

GOOD = {
    "publishers": {"2480": "token-of-authority-2480"},
    "pseudonym_key": "a secret of thirty-two characters",
    "service_token": "token-between-services",
}


def settings(**changes: object) -> Settings:
    return Settings.model_validate(GOOD | changes)


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        pytest.param({"publishers": {}}, "KVAR_PUBLISHERS", id="no publisher"),
        pytest.param({"publishers": {"1": "t" * 16, "2": "t" * 16}}, "KVAR_PUBLISHERS", id="one token for two"),
        pytest.param({"pseudonym_key": "short"}, "KVAR_PSEUDONYM_KEY", id="short key"),
        pytest.param({"service_token": ""}, "KVAR_SERVICE_TOKEN", id="no service token"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], variable: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        build(settings(**changes))


def test_each_authority_has_its_token() -> None:
    assert publisher_tokens(settings()) == GOOD["publishers"]
