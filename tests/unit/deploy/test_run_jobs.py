"""The Jobs that Dagster's launcher makes of runs, sent to an API server of this test's own.

The server takes what a cluster's would get on the wire, so what is judged is the very request.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
KUSTOMIZE = ROOT / "deploy/kustomize"
INSTANCES = {
    "shared": KUSTOMIZE / "base/dagster.yaml",
    "sidecar": KUSTOMIZE / "components/compute-sidecar/dagster.yaml",
}

UPLOAD = {
    "ops": {
        "validate": {
            "config": {
                "key": "manifests/x.json",
                "etag": "e",
                "last_modified": "2026-11-24T00:00:00+00:00",
                "size_bytes": 1,
            }
        }
    }
}


class ApiServer(BaseHTTPRequestHandler):
    """Takes Jobs, and gives each back as it came."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def api_server():
    server = HTTPServer(("127.0.0.1", 0), ApiServer)
    server.received = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=sorted(INSTANCES))
def instance_file(request):
    return INSTANCES[request.param]


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """Where runs are kept; its own launcher is not the one under test."""
    from dagster import DagsterInstance

    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as made:
        yield made


@pytest.fixture
def launch(api_server, instance_file, instance, tmp_path):
    """Launches a run with the given tags; gives the Job that the API server was sent."""
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.launcher.base import LaunchRunContext
    from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
    from dagster._serdes import ConfigurableClassData
    from dagster_k8s import K8sRunLauncher

    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"server": f"http://127.0.0.1:{api_server.server_port}"}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    config = yaml.safe_load(instance_file.read_text())["run_launcher"]["config"]
    config = {**config, "load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    launcher = ConfigurableClassData(
        "dagster_k8s", "K8sRunLauncher", yaml.safe_dump(config)
    ).rehydrate(as_type=K8sRunLauncher)

    launcher.register_instance(instance)

    def run(tags):
        from etl_pipelines.jobs import ingest_job

        origin = RepositoryPythonOrigin(
            executable_path="/opt/venv/bin/python",
            code_pointer=ModuleCodePointer("etl_pipelines.definitions", "defs", "/opt/etl"),
            container_image="spatial-etl-user-code:0.1.0",
            entry_point=["dagster"],
            container_context=None,
        )
        made = instance.create_run_for_job(
            ingest_job,
            tags=tags,
            run_config=UPLOAD,
            job_code_origin=JobPythonOrigin("ingest", origin),
        )
        launcher.launch_run(LaunchRunContext(made, workspace=None))
        ((path, job),) = api_server.received
        assert path.startswith("/apis/batch/v1/namespaces/spatial-etl/jobs")
        return job

    return run


def sizes():
    from etl_pipelines.run_tags import RunSizes

    return RunSizes.load(KUSTOMIZE / "base/run-sizes.yaml")


def tags_of(input_bytes):
    from etl_pipelines.run_tags import run_tags
    from libs.ingest import Outlook

    seen = Outlook(intent="ingest_vector", dataset_id="ALPHA/roads", input_bytes=input_bytes)
    return run_tags(seen, sizes())


@pytest.mark.parametrize("input_bytes", [0, 10**9, 10**12])
def test_the_job_is_valid_and_as_large_as_its_input(launch, input_bytes):
    job = launch(tags_of(input_bytes))
    for version in ("1.30", "1.37"):
        kubernetes_validate.validate(job, version, strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    wanted = sizes().of(input_bytes).kubernetes["container_config"]
    assert container["resources"] == wanted["resources"]
    set_here = {it["name"]: it.get("value") for it in container["env"]}
    for variable in wanted["env"]:
        assert set_here[variable["name"]] == variable["value"]
    assert container["image"] == "spatial-etl-user-code:0.1.0"


def test_a_run_without_a_size_is_bounded_too(launch):
    job = launch({})
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"cpu", "memory"} <= set(container["resources"]["limits"])


def test_its_pod_is_restricted_has_no_token_and_is_known_to_the_network(launch):
    template = launch(tags_of(1))["spec"]["template"]
    pod = template["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}
    labels = template["metadata"]["labels"]
    for store in ("vault", "ledger", "compute", "dagster-storage"):
        assert labels[f"spatial-etl/uses-{store}"] == "true"


def test_the_job_is_tried_once_and_removed_after_a_day(launch):
    spec = launch({})["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["ttlSecondsAfterFinished"] == 86400


def test_secrets_come_by_reference(launch):
    (container,) = launch({})["spec"]["template"]["spec"]["containers"]
    named = {
        source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source
    }
    assert named == {"vault-pipeline", "ledger-pipeline", "compute-pipeline", "dagster-storage"}
    assert "PASSWORD" not in json.dumps(container["env"])


def test_a_tag_cannot_make_a_run_more_than_it_is(launch):
    evil = {"pod_spec_config": {"host_network": True}}
    with pytest.raises(Exception, match="pod_spec_config"):
        launch({"dagster-k8s/config": json.dumps(evil)})


def test_postgis_beside_a_run_ends_with_it(launch, instance_file):
    pod = launch({})["spec"]["template"]["spec"]
    if instance_file == INSTANCES["shared"]:
        assert not pod.get("initContainers")
        return
    (sidecar,) = pod["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["image"] == "spatial-etl-postgis:0.1.0"
    assert sidecar["args"] == ["-c", "listen_addresses=127.0.0.1"]


def test_the_two_instances_differ_by_the_sidecar_alone():
    shared, sidecar = (
        yaml.safe_load(INSTANCES[name].read_text()) for name in ("shared", "sidecar")
    )
    pod = sidecar["run_launcher"]["config"]["run_k8s_config"]["pod_spec_config"]
    (compute,) = pod.pop("init_containers")
    own = {mount["name"] for mount in compute["volume_mounts"]}
    pod["volumes"] = [volume for volume in pod["volumes"] if volume["name"] not in own]
    assert sidecar == shared
