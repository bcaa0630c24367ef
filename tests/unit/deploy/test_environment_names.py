"""Compose, Kustomize, the settings' models and Dagster's files name the same variables."""

from __future__ import annotations

import re

import pytest
import yaml
from pydantic_settings import BaseSettings

from libs import admin_settings, settings
from tests.unit.deploy.conftest import template_of

OTHER_PROGRAMS = {
    "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD",  # MinIO's own names for its administrator
    "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", "PGDATA",  # the image of PostgreSQL
    "DAGSTER_CURRENT_IMAGE", "DAGSTER_HOME",  # Dagster
}  # fmt: skip
"""Variables that belong to programs which are not ours."""


def models(module):
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseSettings) and kind is not BaseSettings
    ]


def variables(kind) -> dict[str, object]:
    prefix = kind.model_config["env_prefix"]
    return {f"{prefix}{name}".upper(): field for name, field in kind.model_fields.items()}


PIPELINE = {
    name: field
    for kind in models(settings)
    if kind is not settings.UploaderSettings
    for name, field in variables(kind).items()
}
KNOWN = {
    name for module in (settings, admin_settings) for kind in models(module)
    for name in variables(kind)
}  # fmt: skip


def of_compose(compose):
    return {name for it in compose["services"].values() for name in it["environment"]}


def of_container(container, maps):
    names = {variable["name"] for variable in container.get("env", [])}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            names |= set(maps[source["configMapRef"]["name"]])
    return names


def test_compose_knows_no_variable_that_nobody_reads(root, compose):
    assert of_compose(compose) - KNOWN - OTHER_PROGRAMS == set()
    texts = [path.read_text() for path in root.glob("docker-compose*.yaml")]
    used = {name for text in texts for name in re.findall(r"\$\{([A-Z0-9_]+)", text)}
    assert used - KNOWN == set()


def test_every_setting_of_the_pipeline_reaches_the_code_in_compose(compose):
    given = set(compose["services"]["user-code"]["environment"])
    kubernetes_only = {"ETL_RUN_SIZES"}
    assert set(PIPELINE) - given == kubernetes_only


def test_every_setting_of_a_deployment_is_used_by_compose(root, compose):
    text = "".join(path.read_text() for path in root.glob("docker-compose*.yaml"))
    wanted = {name for kind in models(admin_settings) for name in variables(kind)}
    unused = {name for name in wanted if name not in text}
    external_only = {"POSTGIS_ADMIN_USER", "POSTGIS_ADMIN_PASSWORD"}
    assert unused == external_only


def test_the_defaults_of_compose_are_those_of_the_models(compose):
    fields = {
        name: field for module in (settings, admin_settings) for kind in models(module)
        for name, field in variables(kind).items()
    }  # fmt: skip
    found = {}
    for service in compose["services"].values():
        for value in [
            *service["environment"].values(),
            service["image"],
            *service.get("ports", []),
        ]:
            found |= dict(re.findall(r"\$\{([A-Z0-9_]+):-([^}]*)\}", str(value)))
    assert len(found) > 25
    for name, default in found.items():
        assert default == str(fields[name].default), name


def test_kustomize_knows_no_variable_that_nobody_reads(every_object):
    for name, item in every_object:
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("-settings"):
            assert set(item["data"]) <= KNOWN, name
        pod = (template_of(item) or {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            names = {variable["name"] for variable in container.get("env", [])}
            assert names - KNOWN - OTHER_PROGRAMS == set(), f"{name}: {container['name']}"


def test_every_setting_of_the_pipeline_reaches_the_code_in_kubernetes(root, objects):
    import subprocess

    printed = subprocess.run([root / "deploy/secrets.sh"], check=True, capture_output=True)
    secrets = {it["metadata"]["name"]: it["stringData"]
               for it in yaml.safe_load_all(printed.stdout)}  # fmt: skip
    maps = {it["metadata"]["name"]: it["data"] for it in objects if it["kind"] == "ConfigMap"}
    (code,) = (it for it in objects
               if it["kind"] == "Deployment" and it["metadata"]["name"] == "user-code")  # fmt: skip
    (container,) = code["spec"]["template"]["spec"]["containers"]
    given = of_container(container, maps)
    named = [it["secretRef"]["name"] for it in container["envFrom"] if "secretRef" in it]
    given |= {key for name in named for key in secrets[name]}
    assert set(PIPELINE) <= given
    launcher = yaml.safe_load(maps["dagster-instance"]["dagster.yaml"])["run_launcher"]["config"]
    assert sorted(launcher["env_secrets"]) == sorted(named), "runs get what the code server gets"


def test_the_settings_in_kustomize_are_what_the_models_take(objects):
    maps = {it["metadata"]["name"]: it["data"] for it in objects if it["kind"] == "ConfigMap"}
    given = maps["etl-settings"]
    for kind in (settings.EtlSettings, settings.VaultSettings, settings.ComputeSettings):
        prefix = kind.model_config["env_prefix"]
        values = {name.removeprefix(prefix).lower(): value for name, value in given.items()
                  if name.startswith(prefix)}  # fmt: skip
        secrets = {name: "x" for name in ("access_key", "secret_key", "user", "password")
                   if name in kind.model_fields}  # fmt: skip
        kind(_env_file=None, **values, **secrets)


@pytest.mark.parametrize(
    "file",
    ["services/dagster/compose/dagster.yaml", "services/dagster/workspace.yaml",
     "services/dagster/workers/dagster.yaml",
     "deploy/kustomize/base/dagster.yaml",
     "deploy/kustomize/components/compute-sidecar/dagster.yaml"],
)  # fmt: skip
def test_what_dagster_reads_from_the_environment_is_known(root, file):
    names = set(re.findall(r"env: ([A-Z0-9_]+)", (root / file).read_text()))
    orchestrators = (admin_settings.OrchestratorSettings, admin_settings.BrokerSettings)
    assert names and names <= {name for kind in orchestrators for name in variables(kind)}
