"""Settings: defaults work, and a wrong environment is refused with the variable named."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shared.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KVAR_"):
            monkeypatch.delenv(name)


def test_defaults_are_complete() -> None:
    assert load_settings() == Settings()


WRONG = [
    pytest.param("KVAR_AMQP_ULR", "amqp://x/", "KVAR_AMQP_ULR: unknown setting", id="misspelt"),
    pytest.param("KVAR_AMQP_URL", "http://x/", "KVAR_AMQP_URL: ", id="not AMQP"),
    pytest.param("KVAR_HTTP_PORT", "70000", "KVAR_HTTP_PORT: ", id="no port"),
    pytest.param("KVAR_TIME_ZONE", "Europe/Uppsala", "KVAR_TIME_ZONE: .*IANA", id="no time zone"),
    pytest.param("KVAR_PUBLISHERS", '{"2480": "short"}', "KVAR_PUBLISHERS: .*16 characters", id="short token"),
    pytest.param("KVAR_PUBLISHERS", "no json", "publishers", id="no JSON"),
    pytest.param("KVAR_SPACES", '{"2480": {"marks": "s i"}}', "KVAR_SPACES.2480.MARKS: ", id="no space"),
    pytest.param("KVAR_SPACE_NAMERS", '{"2480": "sis"}', "KVAR_SPACE_NAMERS.2480: ", id="no list of systems"),
    pytest.param("KVAR_SHARDS", "0", "KVAR_SHARDS: ", id="no shard"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_wrong_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVAR_PSEUDONYM_KEY", "k" * 40)
    assert "kkkk" not in repr(load_settings())
    assert load_settings().secret("pseudonym_key", 32) == "k" * 40


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(SettingsError, match="KVAR_SERVICE_TOKEN"):
        load_settings().secret("service_token", 16)


@pytest.mark.parametrize("service", ["ingest", "scoring", "notify", "reporting"])
def test_every_service_refuses_an_unknown_setting(service: str) -> None:
    environment = {**os.environ, "KVAR_NO_SUCH_THING": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "KVAR_NO_SUCH_THING: unknown setting" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("service", ["ingest", "notify", "reporting"])
def test_a_service_that_needs_a_secret_names_it(service: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KVAR_")}
    ended = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "KVAR_" in ended.stderr
    assert "Traceback" not in ended.stderr
