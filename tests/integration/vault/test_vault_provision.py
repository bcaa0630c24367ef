"""A blank server of this module's own gets its buckets, users and rights, and is then killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException
from pydantic import SecretStr

from libs.errors import ConfigError, TransientError
from libs.settings import VaultSettings
from libs.vault import BucketMissingError, Vault, VaultCredentialsError, VaultDeniedError
from libs.vault.admin import Credential, VaultAdminSettings, provision

pytestmark = pytest.mark.integration

ROOT = Credential(access_key="root-of-it", secret_key=SecretStr("root-secret-4711"))
PIPELINE = Credential(access_key="pipe", secret_key=SecretStr("pipe-secret-4711"))
UPLOADER = Credential(access_key="ana", secret_key=SecretStr("ana-secret-4711"))
LANDING, LAKE = "in-box", "the.lake"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """A blank embedded store on a free port."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"127.0.0.1:{free_port()}"
        juicefs = (str(Path(sys.executable).parent / "juicefs"), "--no-agent")
        meta = f"sqlite3://{folder / 'meta.db'}"
        subprocess.run(
            [*juicefs, "format", "--storage", "file", "--bucket", f"{folder / 'blocks'}/",
             "--trash-days", "0", meta, "vault"],
            check=True,
            capture_output=True,
        )  # fmt: skip
        self.process = subprocess.Popen(
            [*juicefs, "gateway", "--multi-buckets", "--keep-etag", "--object-tag",
             "--object-meta", "--no-usage-report", "--no-banner", "--cache-dir", "memory",
             "--cache-size", "0", "--log", str(folder / "log"), "--metrics", "127.0.0.1:0",
             meta, self.endpoint],
            env={
                **os.environ,
                "MINIO_ROOT_USER": ROOT.access_key,
                "MINIO_ROOT_PASSWORD": ROOT.secret_key.get_secret_value(),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def admin(self, secret: SecretStr = ROOT.secret_key) -> VaultAdminSettings:
        return VaultAdminSettings(
            endpoint=self.endpoint, secure=False, access_key=ROOT.access_key, secret_key=secret
        )

    def vault(self, user: Credential) -> Vault:
        settings = VaultSettings(
            _env_file=None,
            endpoint=self.endpoint,
            landing_bucket=LANDING,
            lake_bucket=LAKE,
            access_key=user.access_key,
            secret_key=user.secret_key,
        )
        return Vault.connect(settings)

    def provision(self, pipeline=PIPELINE, uploader=UPLOADER) -> None:
        provision(self.admin(), pipeline, uploader, LANDING, LAKE)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    started = Gateway(tmp_path_factory.mktemp("gateway"))
    until = time.monotonic() + 30
    while True:
        try:
            started.vault(ROOT).stat("any-bucket", "x")
        except BucketMissingError:
            break
        except TransientError:
            assert time.monotonic() < until, "the gateway did not start"
            time.sleep(0.1)
    yield started
    started.stop()


@pytest.fixture
def gateway(blank):
    if blank.process.poll() is not None:
        pytest.fail("the gateway is gone")
    return blank


def test_before_it_the_check_names_what_is_missing(gateway) -> None:
    with pytest.raises(ConfigError, match=f"bucket '{LANDING}' does not exist.*LANDING_BUCKET"):
        gateway.vault(ROOT).check()
    with pytest.raises(VaultCredentialsError, match="MINIO_ACCESS_KEY"):
        gateway.vault(PIPELINE).check()


def test_it_may_be_repeated_and_removes_nothing(gateway) -> None:
    gateway.provision()
    gateway.vault(PIPELINE).put_bytes(LAKE, "p/x", b"kept")
    gateway.provision()
    gateway.vault(PIPELINE).check()
    gateway.vault(UPLOADER).check()
    assert gateway.vault(UPLOADER).read_bytes(LAKE, "p/x", etag=None, max_bytes=9) == b"kept"
    with pytest.raises(VaultDeniedError):
        gateway.vault(UPLOADER).remove(LAKE, "p/x")


def test_a_changed_secret_replaces_the_old_one(gateway) -> None:
    newer = Credential(access_key=UPLOADER.access_key, secret_key=SecretStr("newer-secret-1"))
    gateway.provision(uploader=newer)
    gateway.vault(newer).check()
    with pytest.raises(VaultCredentialsError):
        gateway.vault(UPLOADER).check()
    gateway.provision()


def test_rights_that_a_user_had_before_are_gone(gateway) -> None:
    turned = Credential(access_key="turned", secret_key=SecretStr("turned-secret-1"))
    gateway.provision(pipeline=turned)
    gateway.vault(turned).put_bytes(LAKE, "p/y", b"1")
    gateway.provision(uploader=turned)
    with pytest.raises(VaultDeniedError):
        gateway.vault(turned).put_bytes(LAKE, "p/y", b"2")


@pytest.mark.parametrize("user", [PIPELINE, UPLOADER], ids=["pipeline", "uploader"])
def test_no_user_gives_itself_a_policy_or_another_secret(gateway, user) -> None:
    """CVE-2021-43858, which the gateway's code has; here without the front that hides it."""
    gateway.provision()
    itself = MinioAdmin(
        endpoint=gateway.endpoint,
        credentials=StaticProvider(user.access_key, user.secret_key.get_secret_value()),
        secure=False,
    )
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        itself.user_add(user.access_key, "another-secret-1")
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        itself.policy_set(policy_name="readwrite", user=user.access_key)
    gateway.vault(user).check()


def test_only_the_admin_may_and_no_secret_is_told(gateway) -> None:
    with pytest.raises(VaultDeniedError, match="MINIO_ADMIN_SECRET_KEY") as caught:
        provision(gateway.admin(SecretStr("wrong-secret-1")), PIPELINE, UPLOADER, LANDING, LAKE)
    assert "wrong-secret-1" not in str(caught.value)
    assert "wrong-secret-1" not in repr(gateway.admin(SecretStr("wrong-secret-1")))


@pytest.mark.parametrize(
    ("uploader", "landing", "lake"),
    [
        (PIPELINE, LANDING, LAKE),
        (ROOT, LANDING, LAKE),
        (Credential(access_key="ana", secret_key=SecretStr("short")), LANDING, LAKE),
        (UPLOADER, LANDING, LANDING),
        (UPLOADER, "*", LAKE),
    ],
)
def test_what_cannot_be_provisioned_is_a_matter_of_settings(
    gateway, uploader, landing, lake
) -> None:
    with pytest.raises(ConfigError):
        provision(gateway.admin(), PIPELINE, uploader, landing, lake)


def test_the_init_job_reads_the_environment_and_says_in_one_line_how_it_went(
    gateway, tmp_path
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "MINIO_ENDPOINT": gateway.endpoint,
        "MINIO_ADMIN_ACCESS_KEY": ROOT.access_key,
        "MINIO_ADMIN_SECRET_KEY": ROOT.secret_key.get_secret_value(),
        "MINIO_ACCESS_KEY": PIPELINE.access_key,
        "MINIO_SECRET_KEY": PIPELINE.secret_key.get_secret_value(),
        "LANDING_ACCESS_KEY": UPLOADER.access_key,
        "LANDING_SECRET_KEY": UPLOADER.secret_key.get_secret_value(),
        "MINIO_LANDING_BUCKET": LANDING,
        "MINIO_LAKE_BUCKET": LAKE,
    }
    job = [sys.executable, "-m", "libs.vault.admin"]

    def run(**changes):
        both = {**environment, **changes}
        return subprocess.run(
            job, cwd=tmp_path, env=both, capture_output=True, text=True, check=False
        )

    assert run().returncode == 0
    failed = run(MINIO_ADMIN_SECRET_KEY="wrong-secret-1")
    assert failed.returncode == 1
    assert "MINIO_ADMIN_SECRET_KEY" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert "wrong-secret-1" not in failed.stderr


def test_a_killed_server_is_a_transient_error_within_seconds_also_in_an_upload(
    gateway, tmp_path
) -> None:
    """Last in this module: the server does not come back."""
    vault, source = gateway.vault(PIPELINE), tmp_path / "big"
    source.write_bytes(b"z" * (64 * 2**20))
    pieces = 0

    def kill_in_the_middle(_: int) -> None:
        nonlocal pieces
        pieces += 1
        if pieces == 3:
            gateway.stop()

    started = time.monotonic()
    with pytest.raises(TransientError, match=gateway.endpoint):
        vault.put_file(
            LAKE, "big", source, metadata={}, content_type="x/y", progress=kill_in_the_middle
        )
    assert pieces == 4  # the SDK reads what is left when a part has failed, but sends none of it
    with pytest.raises(TransientError, match=gateway.endpoint):
        vault.check()
    assert time.monotonic() - started < 10
