"""What the gateway itself would let through: the front and the policy refuse it.

Each attack is sent as the landing user would send it, and looked at from the other side.
"""

from __future__ import annotations

import io
import json
import socket
import subprocess
import tarfile
import time
from xml.etree import ElementTree

import pytest
from minio.crypto import encrypt

from libs.stack.programs import FRONT_CONFIG, HAPROXY
from libs.vault import Vault, VaultDeniedError, VaultUnavailableError

pytestmark = pytest.mark.integration

EXTRACT = "X-Amz-Meta-Snowball-Auto-Extract"


def tar_of(names, body=b"evil", mode="w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return made.getvalue()


def assert_is_a_plain_refusal(answer: tuple[int, bytes]) -> None:
    status, body = answer
    assert status == 403
    assert ElementTree.fromstring(body).findtext("Code") == "AccessDenied"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize(
    "header",
    [{EXTRACT: "true"}, {EXTRACT.lower(): "true"}, {EXTRACT.upper(): "untrue"}, {EXTRACT: " true"}],
)
def test_a_tar_that_is_unpacked_on_upload_does_not_reach_the_lake(
    raw, settings, canary, lake, mine, header, mode
) -> None:
    bucket, other = settings.vault.landing_bucket, settings.vault.lake_bucket
    folder = canary.split("/")[0]
    ways = [f"{up}{other}/{folder}/evil{n}" for n, up in enumerate(["../", "../../", "a/../../"])]
    answer = raw("PUT", f"/{bucket}/{mine}/x.tar", body=tar_of(ways, mode=mode), headers=header)
    assert lake() == [canary]
    assert_is_a_plain_refusal(answer)


def test_a_tar_without_that_header_is_an_object_like_others(raw, settings, mine) -> None:
    path, body = f"/{settings.vault.landing_bucket}/{mine}/x.tar", tar_of(["../a"])
    assert raw("PUT", path, body=body)[0] == 200
    assert raw("GET", path) == (200, body)


@pytest.mark.parametrize(
    "name",
    [
        "x-minio-source-etag",
        "X-Minio-Source-Mtime",
        "x-minio-source-replication-request",
        "x-minio-force-delete",
        "x-minio-extract",
        "x-amz-meta-snowball-prefix",
        "X-Amz-Meta-X-Minio-Internal-Compression",
        "x-amz-bucket-replication-status",
    ],
)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_headers_by_which_minio_servers_talk_to_each_other_are_refused(
    raw, settings, mine, name, method
) -> None:
    path = f"/{settings.vault.landing_bucket}/{mine}/x"
    raw("PUT", path, body=b"as it was")
    assert_is_a_plain_refusal(raw(method, path, headers={name: "true"}))
    assert raw("GET", path) == (200, b"as it was")


@pytest.mark.parametrize(
    "path",
    [
        "/minio/admin/v3/info",
        "/minio/admin/v3/list-users",
        "//minio/admin/v3/info",
        "/%6dinio/admin/v3/info",
        "/minio/v2/metrics/cluster",
        "/minio/webrpc",
        "/minio/",
        "/minio",
    ],
)
def test_the_servers_own_pages_are_not_for_users(raw, path) -> None:
    for method in ("GET", "POST", "PUT"):
        assert_is_a_plain_refusal(raw(method, path))


def test_the_health_pages_answer_anybody(exchange) -> None:
    assert exchange("GET", "/minio/health/live", b"", {})[0] == 200


def test_the_landing_user_cannot_give_itself_other_rights(raw, settings, canary, lake) -> None:
    """The gateway's code is of 2021 and has CVE-2021-43858."""
    user = settings.uploader
    secret = user.secret_key.get_secret_value()
    wish = {"secretKey": secret, "policyName": "readwrite", "status": "enabled"}
    raw(
        "PUT",
        "/minio/admin/v3/add-user",
        query=f"accessKey={user.access_key}",
        body=encrypt(json.dumps(wish).encode(), secret),
    )
    status, _ = raw("DELETE", f"/{settings.vault.lake_bucket}/{canary}")
    assert lake() == [canary]
    assert status == 403


def test_nobody_gets_a_second_set_of_keys(raw) -> None:
    query = "Action=AssumeRole&Version=2011-06-15"
    assert_is_a_plain_refusal(raw("POST", "/", query=query))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_is_a_plain_refusal(raw("POST", "/", body=query.encode(), headers=kind))


@pytest.mark.parametrize(
    "lines",
    [
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        f"{EXTRACT} : true\r\nContent-Length: 0",
        f"X-A: b\r\n {EXTRACT}: true\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 7",
    ],
)
def test_a_second_request_is_not_hidden_in_the_first(settings, lines) -> None:
    host, port = settings.vault.endpoint.split(":")
    hidden = f"GET /minio/admin/v3/info HTTP/1.1\r\nHost: {settings.vault.endpoint}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as client:
        head = f"PUT /{settings.vault.landing_bucket}/x HTTP/1.1\r\nHost: {host}:{port}\r\n{lines}"
        client.sendall(f"{head}\r\nConnection: close\r\n\r\n0\r\n\r\n{hidden}".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 4")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("key", ["manifests", "manifests/done", "manifests/rejected",
                                 "manifests/failed"])  # fmt: skip
def test_no_object_stands_in_the_place_of_the_folders_that_answers_go_to(
    uploader_vault, settings, raw, mine, key, tmp_path
) -> None:
    bucket = settings.vault.landing_bucket
    with pytest.raises(VaultDeniedError):
        uploader_vault.put_bytes(bucket, key, b"x")
    big = tmp_path / "big"
    big.write_bytes(b"z" * (17 * 2**20))
    with pytest.raises(VaultDeniedError):
        uploader_vault.put_file(bucket, key, big, metadata={}, content_type="x/y")
    uploader_vault.put_bytes(bucket, f"{mine}/x", b"x")
    with pytest.raises(VaultDeniedError):
        uploader_vault.copy(bucket, f"{mine}/x", key)
    assert raw("PUT", f"/{bucket}/{key}/", body=b"x")[0] >= 400
    assert raw("PUT", f"/{bucket}//{key}", body=b"x")[0] >= 400
    assert raw("PUT", f"/{bucket}/./{key}", body=b"x")[0] >= 400


@pytest.mark.parametrize("folder", ["done", "rejected", "failed"])
def test_nobody_but_the_pipeline_writes_an_answer(uploader_vault, settings, mine, folder) -> None:
    with pytest.raises(VaultDeniedError):
        uploader_vault.put_bytes(
            settings.vault.landing_bucket, f"manifests/{folder}/{mine}.receipt.json", b"{}"
        )


def test_beside_those_folders_the_landing_user_writes_as_before(
    uploader_vault, settings, mine
) -> None:
    bucket = settings.vault.landing_bucket
    for key in (f"manifests/{mine}.txt", f"manifests/failed-{mine}"):
        uploader_vault.put_bytes(bucket, key, b"x")
        uploader_vault.remove(bucket, key)


def test_without_its_gateway_the_front_says_that_the_store_is_away(settings) -> None:
    ports = {name: free_port() for name in ("FRONT_PORT", "GATEWAY_PORT")}
    environment = {name: str(port) for name, port in ports.items()}
    endpoint = f"127.0.0.1:{ports['FRONT_PORT']}"
    vault = Vault.connect(settings.vault.model_copy(update={"endpoint": endpoint}))
    with subprocess.Popen([HAPROXY, "-db", "-f", FRONT_CONFIG], env=environment) as front:
        try:
            until = time.monotonic() + 10
            while not can_connect(ports["FRONT_PORT"]) and time.monotonic() < until:
                time.sleep(0.05)
            begun = time.monotonic()
            with pytest.raises(VaultUnavailableError):
                vault.put_bytes(settings.vault.landing_bucket, "x", b"x")
            assert time.monotonic() - begun < 5
        finally:
            front.kill()


def free_port() -> int:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        return int(nobody.getsockname()[1])


def can_connect(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
