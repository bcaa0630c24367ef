"""Every object of the overlays is valid, and every pod is what a careful operator asks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.unit.deploy.conftest import template_of

PINNED = re.compile(r"[a-z0-9./-]+:(?!latest$)[A-Za-z0-9._-]*\d[A-Za-z0-9._-]*")
VERSIONS = ("1.30", "1.37")
"""The oldest and the newest release that the objects are held against."""


def pod_of(item):
    template = template_of(item)
    return template["spec"] if template else None


def pods(objects):
    return [(f"{it['kind']}/{it['metadata']['name']}", it["kind"], pod_of(it))
            for it in objects if pod_of(it)]  # fmt: skip


def containers(objects):
    return [
        (f"{name}/{container['name']}", kind, pod, container)
        for name, kind, pod in pods(objects)
        for container in [*pod.get("initContainers", []), *pod["containers"]]
    ]


def by_kind(objects, kind):
    return {it["metadata"]["name"]: it for it in objects if it["kind"] == kind}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_fits_the_schema_of_kubernetes(objects, version):
    for item in objects:
        kubernetes_validate.validate(item, version, strict=True)


def test_each_object_is_in_the_one_namespace_which_is_restricted(objects):
    (namespace,) = by_kind(objects, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for item in objects:
        if item["kind"] != "Namespace":
            assert item["metadata"]["namespace"] == namespace["metadata"]["name"]


def test_no_pod_may_do_what_restricted_forbids(objects):
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    for name, _, pod in pods(objects):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        for volume in pod.get("volumes", []):
            assert set(volume) - {"name"} <= allowed, name
    for name, _, _, container in containers(objects):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert context.get("runAsUser", 1) > 0 and not context.get("privileged"), name


def test_each_container_is_pinned_bounded_and_probed(objects):
    for name, kind, _, container in containers(objects):
        assert PINNED.fullmatch(container["image"]), f"{name}: {container['image']}"
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["limits"]) & set(resources["requests"]), name
        if kind not in ("Job", "CronJob"):
            assert {"startupProbe", "livenessProbe"} <= set(container), name
            sidecar = container.get("restartPolicy") == "Always"
            assert sidecar or "readinessProbe" in container, name


def test_only_dagster_holds_a_token_of_the_cluster_and_only_for_jobs(objects):
    for name, _, pod in pods(objects):
        wanted = pod["serviceAccountName"] == "dagster"
        assert pod["automountServiceAccountToken"] is wanted, name
    assert {name for name, _, pod in pods(objects) if pod["automountServiceAccountToken"]} == {
        "Deployment/webserver", "Deployment/daemon",
    }  # fmt: skip
    (role,) = by_kind(objects, "Role").values()
    given = {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert given == {
        ("jobs", "create"), ("jobs", "delete"), ("jobs", "get"), ("jobs", "list"),
        ("jobs/status", "get"), ("pods", "delete"), ("pods", "get"), ("pods", "list"),
        ("pods/log", "get"), ("events", "list"),
    }  # fmt: skip
    assert not by_kind(objects, "ClusterRole") and not by_kind(objects, "ClusterRoleBinding")


def test_no_secret_stands_in_an_object(objects):
    assert not by_kind(objects, "Secret")
    for item in by_kind(objects, "ConfigMap").values():
        names = {name for name in item["data"] if re.search(r"PASSWORD|SECRET|_KEY$", name)}
        assert not names
    for name, _, _, container in containers(objects):
        for variable in container.get("env", []):
            if re.search(r"PASSWORD|SECRET|_KEY$|_USER$|USERNAME", variable["name"]):
                assert set(variable) == {"name", "valueFrom"}, f"{name}: {variable['name']}"


def test_nothing_may_speak_to_anything_that_no_policy_names(objects):
    policies = by_kind(objects, "NetworkPolicy")
    assert policies["nothing-else"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for name, policy in policies.items():
        for rule in [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]:
            assert rule["ports"], f"{name} opens every port"
            peers = rule.get("from") or rule.get("to")
            assert peers, f"{name} is open to everybody"
            assert all(peer.get("ipBlock", {}).get("cidr") != "0.0.0.0/0" for peer in peers), name


def test_each_label_that_grants_access_has_a_policy_and_each_policy_a_pod(overlay, objects):
    policies = by_kind(objects, "NetworkPolicy")
    wanted = {
        label.removeprefix("spatial-etl/uses-")
        for item in objects
        if pod_of(item)
        for label in template_of(item)["metadata"]["labels"]
        if label.startswith("spatial-etl/uses-")
    }
    if overlay == "prod":
        wanted -= {"compute"}  # it is in the same pod
    assert {name for name in wanted if f"to-{name}" not in policies} == set()


def test_a_service_leads_to_pods_and_a_port_of_theirs(objects):
    labelled = [template_of(it) for it in objects if pod_of(it)]
    for name, service in by_kind(objects, "Service").items():
        selector = service["spec"]["selector"]
        found = [t for t in labelled if selector.items() <= t["metadata"]["labels"].items()]
        assert len(found) == 1, name
        ports = {p["name"] for c in found[0]["spec"]["containers"] for p in c.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name


def test_what_has_copies_is_spread_and_drained_one_at_a_time(overlay, objects):
    budgets = [it["spec"]["selector"]["matchLabels"]
               for it in by_kind(objects, "PodDisruptionBudget").values()]  # fmt: skip
    copies = [it for it in objects if it.get("spec", {}).get("replicas", 1) > 1]
    assert [it["metadata"]["name"] for it in copies] == {
        "dev": [],
        "prod": ["webserver", "ledger", "vault"],
        "prod-external": ["webserver"],
    }[overlay]
    for item in copies:
        assert item["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
        assert item["spec"]["selector"]["matchLabels"] in budgets


def test_the_members_of_the_ledger_are_as_many_as_its_copies(overlay, objects):
    if overlay == "prod-external":
        return
    ledger = by_kind(objects, "StatefulSet")["ledger"]["spec"]
    (members,) = (
        variable["value"]
        for variable in ledger["template"]["spec"]["containers"][0]["env"]
        if variable["name"] == "MONGODB_ADMIN_MEMBERS"
    )
    assert members.split(",") == [f"ledger-{n}.ledger:27017" for n in range(ledger["replicas"])]
    uri = by_kind(objects, "ConfigMap")["etl-settings"]["data"]["MONGODB_URI"]
    assert uri == f"mongodb://{members}/?replicaSet=ledger"


def test_runs_use_the_image_of_the_code_server(objects):
    (container,) = pod_of(by_kind(objects, "Deployment")["user-code"])["containers"]
    (value,) = (it["value"] for it in container["env"] if it["name"] == "DAGSTER_CURRENT_IMAGE")
    assert value == container["image"]


def test_every_secret_and_config_map_that_is_named_is_one_that_is_made(root, objects):
    printed = subprocess.run(
        [root / "deploy/secrets.sh"], check=True, capture_output=True, text=True
    ).stdout
    secrets = {it["metadata"]["name"]: it["stringData"] for it in yaml.safe_load_all(printed)}
    maps = {name: it["data"] for name, it in by_kind(objects, "ConfigMap").items()}
    for name, _, pod, container in containers(objects):
        for source in container.get("envFrom", []):
            kind, known = (
                ("secretRef", secrets) if "secretRef" in source else ("configMapRef", maps)
            )
            assert source[kind]["name"] in known, name
        for variable in container.get("env", []):
            for kind, known in (("secretKeyRef", secrets), ("configMapKeyRef", maps)):
                if reference := variable.get("valueFrom", {}).get(kind):
                    assert reference["key"] in known[reference["name"]], name
        for volume in pod.get("volumes", []):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, name


def test_the_secrets_that_the_script_prints_are_valid_and_new_each_time(root):
    def printed():
        done = subprocess.run([root / "deploy/secrets.sh"], check=True, capture_output=True)
        return list(yaml.safe_load_all(done.stdout))

    first, second = printed(), printed()
    passwords = [value for it in first for name, value in it["stringData"].items()
                 if re.search("PASSWORD|SECRET|REPLICA", name)]  # fmt: skip
    assert len(set(passwords)) == len(passwords) == 8
    assert all(len(value) == 48 for value in passwords)
    for old, new in zip(first, second, strict=True):
        kubernetes_validate.validate(old, VERSIONS[-1], strict=True)
        assert old["stringData"] != new["stringData"]


def test_backups_are_taken_where_data_counts_one_at_a_time(overlay, objects):
    jobs = {name: it["spec"] for name, it in by_kind(objects, "CronJob").items()}
    assert set(jobs) == (set() if overlay == "dev" else {"backup", "backup-check", "restore"})
    for name, spec in jobs.items():
        assert spec["concurrencyPolicy"] == "Forbid" and spec["timeZone"] == "Etc/UTC"
        assert spec["suspend"] is (name == "restore"), "a restore is never begun by a clock"
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]
        (pod,) = (pod_of(it) for it in objects
                  if it["kind"] == "CronJob" and it["metadata"]["name"] == name)  # fmt: skip
        (volume,) = (it for it in pod["volumes"] if "persistentVolumeClaim" in it)
        claim = volume["persistentVolumeClaim"]["claimName"]
        assert claim in by_kind(objects, "PersistentVolumeClaim")
        (container,) = pod["containers"]
        (mount,) = (it for it in container["volumeMounts"] if it["name"] == volume["name"])
        assert mount["mountPath"] in container["args"]
        assert mount.get("readOnly", False) is (name != "backup")


def test_the_commands_of_the_backup_jobs_are_ones_that_the_program_knows(overlay, objects):
    for name, it in by_kind(objects, "CronJob").items():
        (container,) = pod_of(it)["containers"]
        program, command, _folder, *options = container["args"]
        shown = subprocess.run(
            [Path(sys.executable).with_name(program), command, "--help"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert all(word in shown for word in options if word.startswith("--")), name


def test_a_backup_gets_no_more_secrets_than_it_needs(objects):
    jobs = by_kind(objects, "CronJob")
    given = {
        name: {source["secretRef"]["name"] for source in container.get("envFrom", [])
               if "secretRef" in source}
        for name, it in jobs.items()
        for container in pod_of(it)["containers"]
    }  # fmt: skip
    if given:
        assert given["backup"] == {"vault-pipeline", "ledger-pipeline"}
        assert given["backup-check"] == set()
        assert given["restore"] == {"vault-pipeline", "ledger-pipeline", "compute-pipeline"}
