# SPDX-License-Identifier: Apache-2.0
"""The cluster form keeps the published shape, has no password of its own, and says whether each part is well."""

import importlib.resources
import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from run.settings import PREFIX, PROJECT_FOLDER, Settings

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_FOLDER / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (PROJECT_FOLDER / "Dockerfile").read_text("utf-8")
# Jobs run to their end; the others wait for that, so they need no word about their health.
JOBS = {"temporal-schema", "temporal-namespace", "migrate"}
OURS = {"migrate", "worker", "api"}
MUST_BE_GIVEN = re.compile(r"\$\{[A-Z_]+:\?[^}]{10,}\}")


def test_the_file_follows_the_published_compose_specification() -> None:
    schemas = importlib.resources.files("check_jsonschema.builtin_schemas")
    schema = json.loads((schemas / "vendor" / "compose-spec.json").read_text("utf-8"))

    jsonschema.Draft7Validator(schema).validate(COMPOSE)


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - JOBS))
def test_every_part_that_stays_says_whether_it_is_well_and_is_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_wait_is_for_something_that_can_be_known(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        assert wait["condition"] == ("service_completed_successfully" if other in JOBS else "service_healthy")


def test_no_secret_has_a_default() -> None:
    secret = re.compile(r"PASSWORD|PWD|SECRET|_KEY$")
    given = {
        (name, variable): str(value)
        for name, service in SERVICES.items()
        for variable, value in service.get("environment", {}).items()
        if secret.search(variable) or "://" in str(value)
    }
    assert given
    for (name, variable), value in given.items():
        without_credentials = "://" in value and "@" not in value
        assert MUST_BE_GIVEN.search(value) or without_credentials, f"{name} has its own {variable}"
    assert MUST_BE_GIVEN.fullmatch(COMPOSE["secrets"]["master_key"]["file"])


def test_each_part_gets_the_database_address_of_its_own_role_only() -> None:
    def addresses(name: str) -> set[str]:
        return {variable for variable in SERVICES[name]["environment"] if variable.endswith("DATABASE_URL")}

    assert addresses("worker") == {"PUTRIGHT_WORKER_DATABASE_URL"}
    assert addresses("api") == {"PUTRIGHT_API_DATABASE_URL"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_own_parts_are_told_only_settings_that_exist(name: str) -> None:
    told = {variable for variable in SERVICES[name]["environment"] if variable.startswith(PREFIX)}

    assert told <= {PREFIX + field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OURS))
def test_every_image_of_others_is_pinned_to_a_release(name: str) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", SERVICES[name]["image"])


def test_only_the_front_is_published_and_to_this_machine_alone_unless_somebody_decides_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published.keys() == {"front", "temporal-ui"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_letters_on_paper_are_written_where_they_stay_and_where_the_worker_may_write() -> None:
    worker = SERVICES["worker"]
    folder = worker["environment"]["PUTRIGHT_POST_FOLDER"]

    assert worker["volumes"] == [f"post:{folder}"]
    assert "post" in COMPOSE["volumes"]
    assert f"--owner 10001 {folder}" in DOCKERFILE


def test_there_may_be_many_workers_and_many_apis() -> None:
    for name in ("worker", "api"):
        assert re.fullmatch(r"\$\{[A-Z]+:-2\}", SERVICES[name]["deploy"]["replicas"])
        assert "container_name" not in SERVICES[name]


def test_our_image_is_built_from_the_lock_and_does_not_run_as_root() -> None:
    assert "pip install --require-hashes --requirement requirements.lock" in DOCKERFILE
    assert "pip install --no-deps ." in DOCKERFILE
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1] not in {"root", "0"}
