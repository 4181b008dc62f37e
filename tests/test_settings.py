"""Settings come from environment and file, and a bad one is one sentence that names it."""

from pathlib import Path

import pytest

from serienmail.domain.errors import EnvironmentFault
from serienmail.settings import load_settings

KEY = "0123456789abcdef0123456789abcdef"
ACCOUNT = "[accounts.main]\nhost = 'relay.example.org'\nport = 587\nfrom_address = 'news@example.org'\n"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without serienmail.toml, and only the link key in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERIENMAIL_LINK_KEY", KEY)
    return tmp_path


def test_a_link_key_is_all_that_must_be_set() -> None:
    settings = load_settings()
    assert settings.database_url == "sqlite+aiosqlite:///.serienmail/serienmail.db"
    assert settings.web_base_url == "http://127.0.0.1:8080"
    assert settings.link_key.get_secret_value() == KEY
    assert settings.edit_lead_minutes == 15
    assert settings.slice_size is None


def test_the_environment_wins_over_the_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "serienmail.toml").write_text("edit_lead_minutes = 5\nadministrators = ['carla']\n" + ACCOUNT)
    monkeypatch.setenv("SERIENMAIL_EDIT_LEAD_MINUTES", "30")
    monkeypatch.setenv("SERIENMAIL_ACCOUNTS__MAIN__PORT", "2525")
    settings = load_settings()
    assert settings.edit_lead_minutes == 30
    assert settings.administrators == ("carla",)
    assert (settings.accounts["main"].host, settings.accounts["main"].port) == ("relay.example.org", 2525)


def test_the_file_can_lie_elsewhere(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "other.toml").write_text("slice_size = 100\n")
    monkeypatch.setenv("SERIENMAIL_CONFIG", "other.toml")
    assert load_settings().slice_size == 100


def test_an_account_s_limits_and_providers_come_from_the_file(empty_folder: Path) -> None:
    limited = ACCOUNT + "per_hour = 500\nblock = 50\npause_minutes = 5\n"
    providers = "[providers.google]\nconnections = 2\n[providers.partner]\ndomains = ['A.example']\nper_minute = 20\n"
    (empty_folder / "serienmail.toml").write_text(limited + providers)
    settings = load_settings()
    limits = settings.accounts["main"].limits
    assert (limits.per_hour, limits.block, limits.pause_minutes, limits.connections) == (500, 50, 5, 10)
    known = settings.known_providers
    assert (known.of("x@gmail.com"), known.limits["google"].connections) == ("google", 2)
    assert (known.of("x@a.example"), known.limits["partner"].per_minute) == ("partner", 20)


@pytest.mark.parametrize("wrong", ["block = 50", "per_hour = 0"])
def test_limits_that_make_no_sense_are_refused(empty_folder: Path, wrong: str) -> None:
    (empty_folder / "serienmail.toml").write_text(f"{ACCOUNT}{wrong}\n")
    with pytest.raises(EnvironmentFault, match="ACCOUNTS__MAIN"):
        load_settings()


def test_the_base_of_links_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIENMAIL_WEB_BASE_URL", "https://mail.example.org/")
    assert load_settings().web_base_url == "https://mail.example.org"


@pytest.mark.parametrize(("variable", "value"), [
    ("SERIENMAIL_DATABASE_URL", "postgresql://serienmail:secret@db/serienmail"),
    ("SERIENMAIL_WEB_BASE_URL", "http://mail.example.org"),
    ("SERIENMAIL_WEB_BASE_URL", "mail.example.org"),
    ("SERIENMAIL_LINK_KEY", "short-secret"),
    ("SERIENMAIL_LINK_KEY", ""),
    ("SERIENMAIL_METRICS_ADDRESS", "9464"),
    ("SERIENMAIL_SLICE_SIZE", "0"),
    ("SERIENMAIL_EDIT_LEAD_MINUTES", "soon"),
    ("SERIENMAIL_ACCOUNTS__MAIN__PORT", "smtp"),
])  # fmt: skip
def test_a_bad_value_is_one_sentence_that_names_the_variable_and_keeps_secrets(
    variable: str, value: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "serienmail.toml").write_text(ACCOUNT)
    monkeypatch.setenv(variable, value)
    with pytest.raises(EnvironmentFault) as fault:
        load_settings()
    assert str(fault.value).startswith(variable)
    assert str(fault.value).endswith(".")
    assert "\n" not in str(fault.value)
    assert "secret" not in str(fault.value)


def test_a_missing_link_key_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERIENMAIL_LINK_KEY")
    with pytest.raises(EnvironmentFault, match=r"SERIENMAIL_LINK_KEY must .* 'openssl rand -hex 32'"):
        load_settings()


def test_a_list_that_is_not_json_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIENMAIL_ADMINISTRATORS", "carla")
    with pytest.raises(EnvironmentFault, match="administrators"):
        load_settings()


@pytest.mark.parametrize(("content", "sentence"), [
    ("edit_lead = 5\n", "SERIENMAIL_EDIT_LEAD is no setting"),
    ("edit_lead_minutes 5\n", "serienmail.toml isn't valid TOML"),
])  # fmt: skip
def test_a_bad_file_is_refused(empty_folder: Path, content: str, sentence: str) -> None:
    (empty_folder / "serienmail.toml").write_text(content)
    with pytest.raises(EnvironmentFault, match=sentence):
        load_settings()


def test_a_file_that_is_not_there_is_refused_only_if_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIENMAIL_CONFIG", "nowhere.toml")
    with pytest.raises(EnvironmentFault, match=r"nowhere\.toml"):
        load_settings()


def test_secrets_do_not_show_in_a_printed_settings_object() -> None:
    assert KEY not in repr(load_settings())
    assert "sqlite" not in repr(load_settings())
