# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the settings is said all at once, and nothing secret is said at all."""

from pathlib import Path

import pytest

from run.settings import PROJECT_FOLDER, Settings, SettingsFaults, libpq_url

EXTERNAL = "postgres://owner:hidden@db.example.gov/putright"


def test_nothing_needs_to_be_set_to_run_everything_on_one_machine() -> None:
    settings = Settings.load(["database_url", "worker_database_url", "api_database_url"], environment={})

    assert settings.has_embedded_database
    assert settings.has_embedded_temporal
    assert settings.may_sign_anyone_in
    assert settings.temporal_address == "127.0.0.1:7233"
    assert str(settings.socket_folder) in settings.api_database_url
    assert settings.master_key_file == settings.home / "secrets" / "master.key"


def test_every_fault_is_named_at_once_in_a_sentence_of_its_own() -> None:
    environment = {
        "PUTRIGHT_PORT": "eighty",
        "PUTRIGHT_PROT": "8001",
        "PUTRIGHT_DATABASE_URL": "mysql://somewhere",
        "PUTRIGHT_TEMPORAL_ADDRESS": "nowhere",
        "PUTRIGHT_SMTP_URL": "pigeon://loft",
        "PUTRIGHT_RATE_LIMIT_PER_ADDRESS": "often",
    }

    with pytest.raises(SettingsFaults) as told:
        Settings.load(environment=environment)

    for name in environment:
        assert len([fault for fault in told.value.faults if fault.startswith(name) and fault.endswith((".", "?"))]) == 1
    assert "Did you mean PUTRIGHT_PORT?" in str(told.value)


def test_what_belongs_together_or_is_lacking_is_named_with_all_the_rest() -> None:
    environment = {
        "PUTRIGHT_PORT": "99999",
        "PUTRIGHT_SMTP_URL": "smtp://mail.example.gov:often",
        "PUTRIGHT_OIDC_ISSUER": "https://id.example.gov",
        "PUTRIGHT_DATABASE_URL": EXTERNAL,
    }

    with pytest.raises(SettingsFaults) as told:
        Settings.load(["database_url", "api_database_url"], environment=environment)

    assert sorted(told.value.faults) == [
        "PUTRIGHT_API_DATABASE_URL is not set. The database is an external one, so this program needs it.",
        "PUTRIGHT_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET belong together: set all three, or none.",
        "PUTRIGHT_PORT must be 65535 or less.",
        "PUTRIGHT_SMTP_URL must be like smtp://host:25, smtps://user:password@host:465 or smtp+starttls://host:587.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "must be a whole number."),
        ("PORT", "0", "must be 1 or more."),
        ("TEMPORAL_TLS", "perhaps", "must be true or false."),
        ("LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error'."),
        ("PUBLIC_URL", "http://[::1", "must be a web address beginning with https:// (or http:// on this machine)."),
    ],
)
def test_a_fault_is_told_in_our_own_words(name: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsFaults) as told:
        Settings.load(environment={f"PUTRIGHT_{name}": value})

    assert told.value.faults == (f"PUTRIGHT_{name} {sentence}",)


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [("PUTRIGHT_HOTS", "PUTRIGHT_HOST"), ("PUTRIGHT_DATABSE_URL", "PUTRIGHT_DATABASE_URL"), ("PUTRIGHT_NOSUCH", "")],
)
def test_only_a_likely_misspelling_is_taken_for_one(unknown: str, meant: str) -> None:
    with pytest.raises(SettingsFaults) as told:
        Settings.load(environment={unknown: "1"})

    assert str(told.value) == f"{unknown} is not a setting of Putright." + (f" Did you mean {meant}?" if meant else "")


def test_a_fault_never_repeats_what_may_be_a_secret() -> None:
    with pytest.raises(SettingsFaults) as told:
        Settings.load(environment={"PUTRIGHT_DATABASE_URL": "mysql://me:hidden@db", "PUTRIGHT_SMTP_URL": "x:hidden"})

    assert "hidden" not in str(told.value)


def test_settings_shown_in_a_log_hold_no_password() -> None:
    environment = {
        "PUTRIGHT_DATABASE_URL": EXTERNAL,
        "PUTRIGHT_SMTP_URL": "smtp://me:hidden@mail.example.gov:25",
        "PUTRIGHT_TEMPORAL_API_KEY": "hidden",
        "PUTRIGHT_OIDC_ISSUER": "https://id.example.gov",
        "PUTRIGHT_OIDC_CLIENT_ID": "putright",
        "PUTRIGHT_OIDC_CLIENT_SECRET": "hidden",
    }

    assert "hidden" not in repr(Settings.load(environment=environment))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_spelling_of_a_database_address_is_understood(scheme: str) -> None:
    settings = Settings.load(environment={"PUTRIGHT_DATABASE_URL": f"{scheme}://me@db/putright"})

    assert settings.database_url == "postgresql+psycopg://me@db/putright"
    assert libpq_url(settings.database_url) == "postgresql://me@db/putright"


def test_with_an_external_database_each_program_says_which_address_it_lacks() -> None:
    with pytest.raises(SettingsFaults, match="PUTRIGHT_API_DATABASE_URL is not set"):
        Settings.load(["api_database_url"], environment={"PUTRIGHT_WORKER_DATABASE_URL": EXTERNAL})

    settings = Settings.load(["worker_database_url"], environment={"PUTRIGHT_WORKER_DATABASE_URL": EXTERNAL})
    assert not settings.has_embedded_database
    assert settings.has_embedded_temporal


def test_an_external_temporal_is_external_even_at_the_embedded_ones_address() -> None:
    settings = Settings.load(environment={"PUTRIGHT_TEMPORAL_ADDRESS": "127.0.0.1:7233"})

    assert not settings.has_embedded_temporal
    assert not settings.temporal_ui_url


@pytest.mark.parametrize(
    "told",
    [
        {"PUTRIGHT_HOST": "0.0.0.0"},
        {"PUTRIGHT_HOST": "complaints.example.gov"},
        {"PUTRIGHT_DATABASE_URL": EXTERNAL},
        {"PUTRIGHT_TEMPORAL_ADDRESS": "temporal:7233"},
    ],
    ids=str,
)
def test_nobody_is_signed_in_without_proof_unless_everything_is_on_this_machine(told: dict[str, str]) -> None:
    assert not Settings.load(environment=told).may_sign_anyone_in


@pytest.mark.parametrize(
    ("told", "because"),
    [
        ({"PUTRIGHT_HOST": "0.0.0.0"}, "PUTRIGHT_HOST is 0.0.0.0, which others can reach"),
        ({"PUTRIGHT_DATABASE_URL": EXTERNAL}, "PostgreSQL or Temporal is an external one"),
    ],
)
def test_where_nobody_can_sign_in_it_is_said_why_and_what_to_set(told: dict[str, str], because: str) -> None:
    why = Settings.load(environment=told).why_nobody_can_sign_in
    provider = {
        "PUTRIGHT_OIDC_ISSUER": "https://id.example.gov",
        "PUTRIGHT_OIDC_CLIENT_ID": "putright",
        "PUTRIGHT_OIDC_CLIENT_SECRET": "hidden",
    }

    assert why.startswith(because)
    assert all(name in why for name in provider)
    assert not Settings.load(environment=told | provider).why_nobody_can_sign_in
    assert not Settings.load(environment={}).why_nobody_can_sign_in


def test_half_a_sign_in_provider_is_refused() -> None:
    with pytest.raises(SettingsFaults, match="belong together"):
        Settings.load(environment={"PUTRIGHT_OIDC_ISSUER": "https://id.example.gov"})


def test_two_data_folders_never_share_a_socket() -> None:
    folders = {
        Settings.load(environment={"PUTRIGHT_HOME": str(PROJECT_FOLDER / name)}).socket_folder for name in ("a", "b")
    }

    assert len(folders) == 2


def test_the_master_key_is_random_closed_and_never_written_twice(tmp_path: Path) -> None:
    first, second = (Settings.load(environment={"PUTRIGHT_HOME": str(tmp_path / name)}) for name in ("a", "b"))
    first.make_master_key()
    second.make_master_key()
    written = first.master_key_file.read_bytes()

    first.make_master_key()

    assert first.master_key_file.read_bytes() == written
    assert second.master_key_file.read_bytes() != written
    assert first.master_key_file.stat().st_mode & 0o777 == 0o600
    assert first.master_key_file.parent.stat().st_mode & 0o777 == 0o700


def test_each_use_has_a_secret_of_its_own_that_stays_the_same(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("00" * 32 + "\n", "ascii")
    settings = Settings.load(environment={"PUTRIGHT_MASTER_KEY_FILE": str(key)})

    # Computed apart, with HMAC-SHA256 by hand from RFC 5869 §2.
    assert settings.derived_secret("complainant").hex() == hkdf_by_hand(bytes(32), b"putright/complainant").hex()
    assert settings.derived_secret("complainant") != settings.derived_secret("payload")


def hkdf_by_hand(key: bytes, info: bytes) -> bytes:
    import hashlib
    import hmac

    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


@pytest.mark.parametrize("content", ["", "too short", "zz" * 32])
def test_a_master_key_that_is_none_is_refused_with_a_sentence(tmp_path: Path, content: str) -> None:
    key = tmp_path / "key"
    key.write_text(content, "ascii")
    settings = Settings.load(environment={"PUTRIGHT_MASTER_KEY_FILE": str(key)})

    with pytest.raises(SettingsFaults, match="64 hexadecimal digits"):
        settings.derived_secret("anything")
