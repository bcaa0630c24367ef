"""Any S3 will do: the vault, and a whole batch, on SeaweedFS, which shares no code with MinIO.

It is started by its own image's script, so the users are those that Compose gives it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import botocore.session
import geopandas
import pytest
import shapely
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from libs.audit import audit
from libs.ledger import Ledger
from libs.settings import VaultSettings
from libs.vault import ObjectChangedError, ObjectMissingError, Vault, VaultDeniedError
from tests.servers import User

pytestmark = pytest.mark.integration

BUCKET, LAKE = "landing-zone", "data-lake"
START = Path(__file__).parents[3] / "services/seaweedfs/start.sh"
SERVICES = ("s3", "master", "volume", "filer")


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        found = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in found]


@pytest.fixture(scope="module")
def logins() -> dict[str, tuple[str, str]]:
    """Access key and secret of each user, by the start of its variables."""
    return {
        name: (name.lower(), secrets.token_hex(16)) for name in ("MINIO_ADMIN", "MINIO", "LANDING")
    }


@pytest.fixture(scope="module")
def endpoint(logins, tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("seaweedfs")
    (folder / "data").mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATA": str(folder / "data"),
                   "USERS_FILE": str(folder / "users.json"),
                   "WEED": str(Path(sys.executable).parent / "weed")}  # fmt: skip
    for name, (key, secret) in logins.items():
        environment |= {f"{name}_ACCESS_KEY": key, f"{name}_SECRET_KEY": secret}
    ports = free_ports(2 * len(SERVICES))
    flags = [f"-{name}.port={port}" for name, port in zip(SERVICES, ports, strict=False)]
    flags += [f"-{name}.port.grpc={port}" for name, port in zip(SERVICES, ports[4:], strict=True)]
    local = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(["sh", START, *flags, *local], env=environment, stdout=log,
                                  stderr=log, cwd=folder)  # fmt: skip
    yield f"127.0.0.1:{ports[0]}"
    server.kill()  # it would take half a minute to end by itself
    server.wait()
    for port in ports:
        for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            socket_file.unlink()


@pytest.fixture(scope="module")
def client(endpoint, logins):
    """An administrator, with a client that is not ours."""
    key, secret = logins["MINIO_ADMIN"]
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=f"http://{endpoint}", region_name="us-east-1",
        aws_access_key_id=key, aws_secret_access_key=secret,
    )  # fmt: skip
    for name in (BUCKET, LAKE):
        for _ in range(60):
            try:
                client.create_bucket(Bucket=name)
            except (BotoCoreError, ClientError):  # it is not up yet
                time.sleep(0.5)
            else:
                break
    assert {it["Name"] for it in client.list_buckets()["Buckets"]} == {BUCKET, LAKE}
    return client


@pytest.fixture
def pipeline(client, endpoint, logins) -> Vault:
    """The pipeline."""
    return signed_in(endpoint, *logins["MINIO"])


@pytest.fixture
def landing(client, endpoint, logins) -> Vault:
    """The landing user."""
    return signed_in(endpoint, *logins["LANDING"])


def signed_in(endpoint: str, key: str, secret: str) -> Vault:
    settings = VaultSettings(endpoint=endpoint, access_key=key, secret_key=SecretStr(secret))
    return Vault.connect(settings)


def test_the_landing_user_reads_the_lake_and_writes_the_landing_zone_only(
    pipeline, landing
) -> None:
    landing.put_bytes(BUCKET, "rights/mine", b"mine")
    pipeline.put_bytes(LAKE, "rights/x", b"x")
    assert landing.read_bytes(LAKE, "rights/x", etag=None, max_bytes=10) == b"x"
    for act in (
        lambda: landing.put_bytes(LAKE, "rights/x", b"forged"),
        lambda: landing.remove(LAKE, "rights/x"),
    ):
        with pytest.raises(VaultDeniedError):
            act()
    assert pipeline.read_bytes(LAKE, "rights/x", etag=None, max_bytes=10) == b"x"


@pytest.mark.parametrize("size", [0, 5, 17 * 2**20])
def test_bytes_metadata_and_type_survive_in_one_part_and_in_many(pipeline, client, tmp_path, size):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    metadata = {"mongodb_doc_id": "a1", "content_hash": "f" * 64}
    key = f"sizes/{size} ü.tif"
    told = pipeline.put_file(BUCKET, key, source, metadata=metadata, content_type="image/tiff")
    theirs = client.get_object(Bucket=BUCKET, Key=key)
    assert theirs["Body"].read() == source.read_bytes()
    assert {name.lower(): value for name, value in theirs["Metadata"].items()} == metadata
    assert theirs["ContentType"] == "image/tiff"
    seen = pipeline.stat(BUCKET, key)
    assert (seen.etag, seen.size_bytes, seen.metadata) == (told.etag, size, metadata)
    got = pipeline.fetch_file(BUCKET, key, etag=seen.etag, target=target)
    assert got.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert [item.key for item in pipeline.list_objects(BUCKET, "sizes/") if item.key == key] == [
        key
    ]


def test_an_object_that_was_replaced_or_removed_is_noticed(pipeline, client, tmp_path) -> None:
    first = pipeline.put_bytes(BUCKET, "changing", b"first")
    client.put_object(Bucket=BUCKET, Key="changing", Body=b"second")
    with pytest.raises(ObjectChangedError):
        pipeline.fetch_file(BUCKET, "changing", etag=first.etag, target=tmp_path / "x")
    pipeline.remove(BUCKET, "changing")
    with pytest.raises(ObjectMissingError):
        pipeline.fetch_file(BUCKET, "changing", etag=first.etag, target=tmp_path / "x")
    assert pipeline.stat(BUCKET, "changing") is None
    assert not (tmp_path / "x").exists()


def test_a_listing_goes_on_over_a_thousand_keys(pipeline, client) -> None:
    for number in range(1005):
        client.put_object(Bucket=BUCKET, Key=f"many/{number:04}", Body=b"")
    found = [item.key for item in pipeline.list_objects(BUCKET, "many/")]
    assert found == [f"many/{number:04}" for number in range(1005)]


def test_uploads_that_were_never_completed_are_aborted_when_old_enough(pipeline, client) -> None:
    client.create_multipart_upload(Bucket=BUCKET, Key="half")
    old = datetime.now(timezone.utc) - timedelta(hours=1)
    aborted = pipeline.abort_incomplete_uploads(BUCKET, lambda _, begun: begun < old, "half")
    assert aborted == []
    assert pipeline.abort_incomplete_uploads(BUCKET, lambda key, _: key == "half", "half") == [
        "half"
    ]
    assert not client.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


@pytest.fixture
def own_ledger(settings):
    """Of this test alone: its assets lie where no other test's auditor would find them."""
    name = f"spatial_etl_test_{uuid.uuid4().hex[:12]}"
    with Ledger.connect(settings.ledger.model_copy(update={"database": name})) as ledger:
        ledger.migrate()
        yield ledger
        ledger.database.client.drop_database(name)


def test_a_whole_batch_is_committed_and_audited(
    platform, own_ledger, pipeline, landing, client, tmp_path
):
    there = replace(platform, vault=pipeline, ledger=own_ledger)
    places = geopandas.GeoDataFrame(
        {"n": [0, 1]}, geometry=[shapely.Point(14, 48), shapely.Point(15, 49)], crs="EPSG:4326"
    )
    places.to_file(tmp_path / "places.gpkg", driver="GPKG")
    someone = User(there, landing, BUCKET, "another")
    upload = someone.manifest([someone.vector(tmp_path / "places.gpkg", "GPKG")])
    (done,) = someone.run(upload).assets
    theirs = client.get_object(Bucket=done.asset.s3_bucket, Key=done.asset.s3_key)
    assert theirs["Metadata"]["mongodb_doc_id"] == done.asset.id
    body = theirs["Body"].read()
    assert hashlib.sha256(body).hexdigest() == done.asset.content_hash
    (tmp_path / "result.parquet").write_bytes(body)
    assert len(geopandas.read_parquet(tmp_path / "result.parquet")) == 2
    pipeline.remove(LAKE, "rights/x")
    assert audit(there, repair=False, verify_bytes=True).findings == ()
    client.delete_object(Bucket=done.asset.s3_bucket, Key=done.asset.s3_key)
    (finding,) = audit(there, repair=False).findings
    assert done.asset.s3_key in finding.subject
