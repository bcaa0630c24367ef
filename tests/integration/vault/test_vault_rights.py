"""Who may do what: asked of the server itself, with requests that no decent client would send."""

from __future__ import annotations

import base64
import hashlib
import traceback
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from minio import Minio
from minio.datatypes import PostPolicy
from pydantic import SecretStr

from libs.vault import Vault, VaultCredentialsError, VaultDeniedError

pytestmark = pytest.mark.integration


def test_the_landing_user_writes_lists_reads_and_removes_in_the_landing_zone(
    uploader_vault, settings, mine, tmp_path
) -> None:
    bucket, source = settings.vault.landing_bucket, tmp_path / "big"
    source.write_bytes(b"z" * (17 * 2**20))
    uploader_vault.put_file(bucket, f"{mine}/big", source, metadata={}, content_type="x/y")
    uploader_vault.copy(bucket, f"{mine}/big", f"{mine}/twin")
    keys = [item.key for item in uploader_vault.list_objects(bucket, mine)]
    assert keys == [f"{mine}/big", f"{mine}/twin"]
    uploader_vault.remove(bucket, f"{mine}/twin")
    assert uploader_vault.stat(bucket, f"{mine}/twin") is None


def test_the_landing_user_reads_the_lake(uploader_vault, settings, canary) -> None:
    bucket = settings.vault.lake_bucket
    assert uploader_vault.read_bytes(bucket, canary, etag=None, max_bytes=9) == b"alive"
    assert canary in [item.key for item in uploader_vault.list_objects(bucket, canary[:10])]


def test_the_server_refuses_the_landing_user_every_change_of_the_lake(
    uploader_vault, settings, canary, lake, tmp_path
) -> None:
    bucket, key = settings.vault.lake_bucket, canary.replace("canary", "evil")
    big = tmp_path / "big"
    big.write_bytes(b"z" * (17 * 2**20))
    with pytest.raises(VaultDeniedError, match=f"s3://{bucket}/{key}"):
        uploader_vault.put_bytes(bucket, key, b"x")
    with pytest.raises(VaultDeniedError):
        uploader_vault.put_file(bucket, key, big, metadata={}, content_type="x/y")
    with pytest.raises(VaultDeniedError):
        uploader_vault.put_bytes(bucket, canary, b"x")
    with pytest.raises(VaultDeniedError):
        uploader_vault.remove(bucket, canary)
    with pytest.raises(VaultDeniedError):
        uploader_vault.copy(bucket, canary, key)
    assert lake() == [canary]


def test_no_other_bucket_is_the_landing_users(uploader_vault) -> None:
    with pytest.raises(VaultDeniedError):
        uploader_vault.stat("another-bucket", "x")
    with pytest.raises(VaultDeniedError):
        list(uploader_vault.list_objects("another-bucket"))


@pytest.mark.parametrize("way", ["..", "%2e%2e", "a/../..", "a/..%2f..", "/.."])
def test_a_path_leads_into_no_other_bucket(raw, settings, canary, lake, way) -> None:
    landing, other = settings.vault.landing_bucket, settings.vault.lake_bucket
    for method, key in (("PUT", canary + "2"), ("DELETE", canary)):
        status, _ = raw(method, f"/{landing}/{way}/{other}/{key}")
        assert status >= 400
    assert lake() == [canary]


def test_a_copy_brings_nobodys_secret_keys(raw, settings, mine) -> None:
    landing = settings.vault.landing_bucket
    identity = f".minio.sys/config/iam/users/{settings.vault.access_key}/identity.json"
    for way in (f"{landing}/..", f"{landing}/%2e%2e", f"{landing}/a/../..", ""):
        source = f"/{way}/{identity}".replace("//", "/")
        status, _ = raw("PUT", f"/{landing}/{mine}/loot", headers={"x-amz-copy-source": source})
        assert status >= 400, source
        assert raw("GET", f"/{landing}/{mine}/loot")[0] == 404


def test_a_list_of_keys_to_delete_reaches_no_other_bucket(raw, settings, canary, lake) -> None:
    keys = [f"{way}{settings.vault.lake_bucket}/{canary}" for way in ("../", "a/../../", "/../")]
    body = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    body = f"<Delete>{body}</Delete>".encode()
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    path = f"/{settings.vault.landing_bucket}"
    raw("POST", path, query="delete=", body=body, headers={"Content-MD5": md5})
    assert lake() == [canary]


def test_a_form_reaches_no_other_bucket(settings, canary, lake, exchange) -> None:
    user = settings.uploader
    client = Minio(
        settings.vault.endpoint,
        user.access_key,
        user.secret_key.get_secret_value(),
        secure=False,
        region=settings.vault.region,
    )
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    policy = PostPolicy(settings.vault.landing_bucket, until)
    policy.add_starts_with_condition("$key", ".")
    form = client.presigned_post_policy(policy)
    form["key"] = f"../{settings.vault.lake_bucket}/{canary}2"
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form.items()
    ]
    parts.append(
        '--B\r\nContent-Disposition: form-data; name="file"; filename="z"\r\n\r\nevil\r\n--B--\r\n'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=B"}
    path, body = f"/{settings.vault.landing_bucket}", "".join(parts).encode()
    assert exchange("POST", path, body, kind)[0] >= 400
    assert lake() == [canary]


@pytest.mark.parametrize("act", ["check", "list", "put", "stat"])
def test_a_wrong_secret_is_named_by_its_setting_and_not_shown(settings, act) -> None:
    wrong = "wrong-" + uuid.uuid4().hex
    vault = Vault.connect_as(settings.vault, settings.uploader.access_key, SecretStr(wrong))
    bucket = settings.vault.landing_bucket
    acts = {
        "check": vault.check,
        "list": lambda: list(vault.list_objects(bucket)),
        "put": lambda: vault.put_bytes(bucket, "x", b"x"),
        "stat": lambda: vault.stat(bucket, "x"),
    }
    kind = VaultDeniedError if act == "stat" else VaultCredentialsError
    with pytest.raises(kind, match="LANDING_SECRET_KEY") as caught:
        acts[act]()
    error = caught.value
    lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    # The first frame is this test, which knows the secret itself.
    shown = "".join(line for line in lines if "test_vault_rights" not in line)
    assert wrong not in shown + str(error) + repr(error) + repr(vault) + repr(vars(vault))
    assert settings.vault.endpoint in str(error)
    assert isinstance(error, Exception)
    assert "\n" not in str(error)


def test_a_user_that_does_not_exist_is_named_by_its_setting(settings) -> None:
    vault = Vault.connect_as(settings.vault, "nobody-at-all", SecretStr("x" * 20), account="MINIO")
    with pytest.raises(VaultCredentialsError, match="MINIO_ACCESS_KEY"):
        vault.check()
