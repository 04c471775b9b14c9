# SPDX-License-Identifier: Apache-2.0
"""The settings, read from the environment (PUTRIGHT_…), all checked at once.

Nothing needs to be set to run the whole product on one machine: the record and the conductor are then started from
the data folder. Setting `PUTRIGHT_DATABASE_URL` (or the worker's or the API's) means an external PostgreSQL, setting
`PUTRIGHT_TEMPORAL_ADDRESS` an external Temporal; nothing embedded of that kind starts.
"""

import hashlib
import ipaddress
import os
import re
import secrets
from collections.abc import Container, Iterable, Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import limits
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

PREFIX = "PUTRIGHT_"
FOUND_OUT = {"has_embedded_database", "has_embedded_temporal"}
PROJECT_FOLDER = Path(__file__).resolve().parent.parent
DATABASE_ADDRESSES = {"database_url", "worker_database_url", "api_database_url"}
PROVIDER = {"oidc_issuer", "oidc_client_id", "oidc_client_secret"}
SECRET_BYTES = 32
NEAR_ENOUGH = 0.7
"""How alike (0 to 1) a word must be to a setting's name to be taken for a misspelling of it."""
MASTER_KEY_SHAPE = re.compile(r"[0-9a-f]{64}")

# The names of the database and its roles, wherever it stands; migrations make the last three.
DATABASE = "putright"
EMBEDDED_SUPERUSER = "postgres"
WORKER_ROLE = "putright_worker"
API_ROLE = "putright_api"
REPORTING_ROLE = "putright_reporting"

LOCAL_ISSUER = "local-provider"
"""Under this name the people are stored whom the local sign-in provider believes (run/sign_in.py)."""

Need = Literal["database_url", "worker_database_url", "api_database_url"]
Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsFaults(Exception):
    """What is wrong with the settings, one sentence for each fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class Settings(BaseModel):
    """What this installation was told. Unset database and Temporal addresses are those of the embedded servers."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)

    home: Path = Path("var")
    """The data folder: the embedded servers' data, logs and secrets."""
    host: str = "127.0.0.1"
    """The address that the API and the pages listen on."""
    port: Port = 8000
    """Their port."""
    public_url: str = ""
    """Where people reach the pages, as letters and sign-in say it; by default the address listened on."""

    database_url: str = Field(default="", repr=False)
    """The database as its owner reaches it: migrations, tokens, demonstration. Any of the three: an external one."""
    worker_database_url: str = Field(default="", repr=False)
    """The same database as the worker's role reaches it."""
    api_database_url: str = Field(default="", repr=False)
    """The same database as the API's role reaches it."""

    temporal_address: str = ""
    """An external Temporal, host:port; without it the embedded one is started."""
    temporal_port: Port = 7233
    """The embedded Temporal's port."""
    temporal_ui_port: Port = 8233
    """The port of the embedded Temporal's pages."""
    temporal_namespace: str = "putright"
    """The namespace of the workflows."""
    temporal_tls: bool = False
    """Whether Temporal is reached through TLS."""
    temporal_api_key: str = Field(default="", repr=False)
    """The key with which to sign in to Temporal."""
    task_queue: str = "complaints"
    """The task queue that workers share."""

    master_key_file: Path = Path()
    """The master key, from which every other secret is derived, by default `secrets/master.key` in the data folder."""
    policy_folder: Path = PROJECT_FOLDER / "policy"
    """The folder with the agency's numbers and words."""
    smtp_url: str = Field(default="", repr=False)
    """Where letters go by mail: smtp://, smtps:// or smtp+starttls://; without it, into the data folder's `mail`."""
    post_folder: Path = Path()
    """Where letters to people without an e-mail address are written, to be posted; by default in `home`, `post`."""
    mail_from: str = "complaints@localhost"
    """The sender of letters; its domain stands in every Message-ID."""

    oidc_issuer: str = ""
    """Who signs staff in (OpenID Connect); without it, and with everything embedded, the local provider does."""
    oidc_client_id: str = ""
    """Our name there."""
    oidc_client_secret: str = Field(default="", repr=False)
    """Our password there."""

    rate_limit_per_address: str = "30/minute"
    """How often one address may use the public routes (filing, tracking, answering a question)."""
    rate_limit_in_total: str = "1200/minute"
    """How often all together may."""
    # Beyond these two the Temporal server slows for everybody, so the API answers 503 and the relay waits.
    actions_in_flight: Annotated[int, Field(ge=1, le=200)] = 32
    """How many actions one API asks for at once; beyond it, it answers 503 with Retry-After."""
    relay_in_flight: Annotated[int, Field(ge=1, le=200)] = 16
    """How many workflows one worker starts at once."""

    # These two matter only where the embedded servers run as root, which PostgreSQL refuses to.
    account: str = "putright"
    """The account PostgreSQL runs under when we are root."""
    shared_folder: Path = Path("/var/lib/putright")
    """Where its data then stand if that account cannot reach the data folder."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged."""

    # Not told but found out by load(): whether PostgreSQL and Temporal are those of the data folder.
    has_embedded_database: bool = False
    has_embedded_temporal: bool = False

    @field_validator("home", "policy_folder", "shared_folder")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()

    @field_validator("database_url", "worker_database_url", "api_database_url")
    @classmethod
    def _postgresql_by_psycopg(cls, url: str) -> str:
        """Take any spelling of a PostgreSQL address and give the one SQLAlchemy reads, with the driver we use."""
        if not url:
            return url
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
            message = "must be an address like postgresql://role:password@host:5432/putright"
            raise ValueError(message)
        return f"postgresql+psycopg://{rest}"

    @field_validator("temporal_address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        if address and not re.fullmatch(r"[^\s/:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", address):
            message = "must be host:port, for example temporal.example.gov:7233"
            raise ValueError(message)
        return address

    @field_validator("public_url", "oidc_issuer")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if url and not _is_url(url, {"http", "https"}):
            message = "must be a web address beginning with https:// (or http:// on this machine)"
            raise ValueError(message)
        return url.rstrip("/")

    @field_validator("smtp_url")
    @classmethod
    def _mail_address(cls, url: str) -> str:
        if url and not _is_url(url, {"smtp", "smtps", "smtp+starttls"}):
            message = "must be like smtp://host:25, smtps://user:password@host:465 or smtp+starttls://host:587"
            raise ValueError(message)
        return url

    @field_validator("rate_limit_per_address", "rate_limit_in_total")
    @classmethod
    def _rate(cls, rate: str) -> str:
        try:
            limits.parse(rate)
        except ValueError as problem:
            message = "must be a rate like 30/minute or 1000/hour"
            raise ValueError(message) from problem
        return rate

    @model_validator(mode="after")
    def _only_one_port_each(self) -> Self:
        if not self.temporal_address and len({self.port, self.temporal_port, self.temporal_ui_port}) < 3:  # noqa: PLR2004
            message = "PUTRIGHT_PORT, PUTRIGHT_TEMPORAL_PORT and PUTRIGHT_TEMPORAL_UI_PORT must differ."
            raise ValueError(message)
        return self

    @classmethod
    def load(cls, needs: Iterable[Need] = (), *, environment: Mapping[str, str] | None = None) -> "Settings":
        """Return the settings, or raise SettingsFaults with every fault at once.

        `needs` names the database addresses that the caller cannot do without; they matter only where the database
        is an external one, for the embedded one's are known. `environment` is the process's own unless given.
        """
        given = os.environ if environment is None else environment
        told = cls.model_fields.keys() - FOUND_OUT
        values = {name: given[PREFIX + name.upper()] for name in told if given.get(PREFIX + name.upper())}
        faults = [*_unknown(given, told), *_half_told(values.keys(), needs)]
        try:
            settings = cls.model_validate(values).with_embedded_addresses()
        except ValidationError as problem:
            raise SettingsFaults([*faults, *_sentences(problem)]) from problem
        if faults:
            raise SettingsFaults(faults)
        return settings

    @property
    def may_sign_anyone_in(self) -> bool:
        """Whether the local sign-in provider may start: everything embedded, on this machine only."""
        loopback = self.host == "localhost" or (_is_address(self.host) and ipaddress.ip_address(self.host).is_loopback)
        return loopback and self.has_embedded_database and self.has_embedded_temporal and not self.oidc_issuer

    @property
    def why_nobody_can_sign_in(self) -> str:
        """What stands in the way of people's signing in and what to do, in a sentence; nothing where they can."""
        if self.oidc_issuer or self.may_sign_anyone_in:
            return ""
        if not (self.has_embedded_database and self.has_embedded_temporal):
            because = "PostgreSQL or Temporal is an external one"
        else:
            because = f"PUTRIGHT_HOST is {self.host}, which others can reach"
        return (
            f"{because}, so the local sign-in, which asks for no password, is off: name your own provider in "
            "PUTRIGHT_OIDC_ISSUER, PUTRIGHT_OIDC_CLIENT_ID and PUTRIGHT_OIDC_CLIENT_SECRET."
        )

    @property
    def socket_folder(self) -> Path:
        """Where the embedded PostgreSQL listens: a path of its own per data folder, short as sockets demand."""
        return Path("/tmp", f"putright-{hashlib.sha256(str(self.home).encode()).hexdigest()[:12]}")  # noqa: S108 - made 0700 and its owner checked

    @property
    def temporal_ui_url(self) -> str:
        """Where Temporal's own pages are, or nothing where Temporal is an external one."""
        return f"http://127.0.0.1:{self.temporal_ui_port}" if self.has_embedded_temporal else ""

    def with_embedded_addresses(self) -> "Settings":
        """Return these settings with every address filled in that the embedded servers give."""
        filled: dict[str, object] = {}
        if not any((self.database_url, self.worker_database_url, self.api_database_url)):
            filled["has_embedded_database"] = True
            for name, role in (
                ("database_url", EMBEDDED_SUPERUSER),
                ("worker_database_url", WORKER_ROLE),
                ("api_database_url", API_ROLE),
            ):
                filled[name] = database_url_by_socket(self.socket_folder, role=role)
        if not self.temporal_address:
            filled["has_embedded_temporal"] = True
            filled["temporal_address"] = f"127.0.0.1:{self.temporal_port}"
        if not self.public_url:
            filled["public_url"] = f"http://{self.host}:{self.port}"
        if self.master_key_file == Path():
            filled["master_key_file"] = self.home / "secrets" / "master.key"
        if self.post_folder == Path():
            filled["post_folder"] = self.home / "post"
        return self.model_copy(update=filled)

    def make_master_key(self) -> None:
        """Write a new random master key unless there is one. Raises SettingsFaults when the folder refuses it."""
        try:
            self.master_key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.master_key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        except OSError as problem:
            sentence = f"The master key cannot be written to {self.master_key_file}: {problem.strerror}."
            raise SettingsFaults([sentence]) from problem
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def derived_secret(self, label: str) -> bytes:
        """Return the 32-byte secret for one use, named by `label`; the same key and label give the same secret.

        HKDF-SHA256 (RFC 5869) over the master key, so that one file to keep safe serves every use and no use's
        secret tells another's. Raises SettingsFaults when the key is missing or is not 64 hexadecimal digits.
        """
        try:
            text = self.master_key_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise SettingsFaults(
                [f"The master key cannot be read from {self.master_key_file}: {problem}."]
            ) from problem
        if not MASTER_KEY_SHAPE.fullmatch(text):
            raise SettingsFaults([f"{self.master_key_file} must hold one line of 64 hexadecimal digits (0-9, a-f)."])
        kdf = HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=f"putright/{label}".encode())
        return kdf.derive(bytes.fromhex(text))


def database_url_by_socket(socket_folder: Path, *, role: str, database: str = DATABASE) -> str:
    """Return SQLAlchemy's address of a database reached through a Unix socket."""
    return f"postgresql+psycopg://{role}@/{database}?host={socket_folder}"


def libpq_url(database_url: str) -> str:
    """Return the same address as psycopg and PostgreSQL's own tools read it, without SQLAlchemy's driver name."""
    return database_url.replace("postgresql+psycopg://", "postgresql://", 1)


def _is_url(url: str, schemes: Container[str]) -> bool:
    """Return whether it is an address in one of these schemes, with a host and, if any, a port that is a number."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, or a port that cannot be one
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _unknown(environment: Mapping[str, str], fields: Iterable[str]) -> list[str]:
    """Return a sentence for each variable that looks like ours and is none: most likely a misspelling."""
    bare = {field.upper() for field in fields}
    known = {PREFIX + word for word in bare}
    sentences = []
    for name in sorted(name for name in environment if name.startswith(PREFIX) and name not in known):
        # Compared without what all have in common, which makes any two look alike.
        near = [PREFIX + word for word in get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=NEAR_ENOUGH)]
        sentences.append(f"{name} is not a setting of Putright." + (f" Did you mean {near[0]}?" if near else ""))
    return sentences


def _half_told(told: AbstractSet[str], needs: Iterable[Need]) -> list[str]:
    """Return a sentence for each thing that is told in part only."""
    sentences = []
    if 0 < len(PROVIDER & told) < len(PROVIDER):
        sentences.append("PUTRIGHT_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET belong together: set all three, or none.")
    if DATABASE_ADDRESSES & told:
        sentences += [
            f"PUTRIGHT_{need.upper()} is not set. The database is an external one, so this program needs it."
            for need in needs
            if need not in told
        ]
    return sentences


_IN_WORDS = {
    "int_parsing": "must be a whole number",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
}
"""What pydantic's kinds of fault are called here."""


def _sentences(problem: ValidationError) -> list[str]:
    """Return one sentence per fault; the value is left out, for it may be a secret."""
    sentences = []
    for fault in problem.errors(include_url=False, include_input=False):
        text = _IN_WORDS.get(fault["type"], fault["msg"].removeprefix("Value error, ")).format(**fault.get("ctx", {}))
        sentence = f"{PREFIX}{str(fault['loc'][0]).upper()} {text}" if fault["loc"] else text
        sentences.append(sentence if sentence.endswith(".") else f"{sentence}.")
    return sentences
