"""Settings: every one explained, wrong ones named, and the door shut unless somebody opens it knowingly."""

import os

import pytest

from studio import settings
from studio.errors import StudioError
from studio.settings import Settings, is_loopback


@pytest.fixture(autouse=True)
def nothing_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("STUDIO_"):
            monkeypatch.delenv(name)


def test_by_default_only_this_machine_can_connect():
    assert is_loopback(settings.load().host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_another_address_needs_a_password(host):
    with pytest.raises(StudioError, match="STUDIO_PASSWORD"):
        settings.load(host=host)
    assert settings.load(host=host, password="long enough").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_in_all_its_spellings_needs_none(host):
    assert settings.load(host=host).host == host


def test_a_key_that_is_soon_guessed_is_refused():
    with pytest.raises(StudioError, match="STUDIO_API_KEY"):
        settings.load(api_key="short")
    assert settings.load(api_key="sixteen letters!").api_key.get_secret_value() == "sixteen letters!"


def test_lan_needs_a_password_on_any_address():
    with pytest.raises(StudioError, match="STUDIO_PASSWORD"):
        settings.load(profile="lan")


@pytest.mark.parametrize(
    ("name", "value"), [("STUDIO_PORT", "seventy"), ("STUDIO_PORT", "70000"), ("STUDIO_PROFILE", "open")]
)
def test_a_wrong_value_is_named_with_its_variable(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(StudioError) as error:
        settings.load()
    assert error.value.params["name"] == name


def test_the_environment_goes_before_the_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("STUDIO_PORT=7000\nSTUDIO_LANGUAGE=zh-CN\n")
    monkeypatch.setenv("STUDIO_PORT", "7001")
    loaded = settings.load(_env_file=tmp_path / ".env")
    assert (loaded.port, loaded.language) == (7001, "zh-CN")


def test_the_env_file_lies_beside_the_app_wherever_it_is_started_from():
    assert Settings.model_config.get("env_file") == settings.ROOT / ".env"
    assert (settings.ROOT / "app.py").exists()


def test_every_setting_is_explained():
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_a_password_does_not_show_when_settings_are_printed():
    assert "secret words" not in repr(settings.load(password="secret words"))


@pytest.mark.parametrize("given", ["x", "seven77", "       "])
def test_a_password_that_is_soon_guessed_is_refused(given):
    for options in ({"profile": "lan"}, {"host": "0.0.0.0"}, {}):
        with pytest.raises(StudioError, match="at least 8"):
            settings.load(password=given, **options)
    assert settings.load(profile="lan", password="seven777").profile == "lan"
