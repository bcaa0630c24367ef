"""How a section of the settings is read, and what is said when it cannot be."""

import pytest

from libs.errors import ConfigError
from libs.settings import Settings


@pytest.fixture
def of(tmp_path, monkeypatch):
    """The settings of a file with these lines, and of no other."""
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "ETL_RECIPES_DIR"):
        monkeypatch.delenv(name, raising=False)

    def read(*lines):
        path = tmp_path / "site.env"
        path.write_text("".join(f"{line}\n" for line in lines))
        return Settings(path)

    return read


def test_where_the_store_is_can_be_read_without_the_pipelines_user(of):
    settings = of("MINIO_ENDPOINT=store:9000", "MINIO_LANDING_BUCKET=in")
    address = settings.vault_address
    assert (address.endpoint, address.landing_bucket) == ("store:9000", "in")
    with pytest.raises(ConfigError, match=r"MINIO_ACCESS_KEY is not set; MINIO_SECRET_KEY is not"):
        _ = settings.vault


def test_an_empty_value_is_none(of, monkeypatch):
    settings = of("ETL_RECIPES_DIR=", "ETL_WORKER_NAME=", "MINIO_ENDPOINT=")
    assert settings.etl.recipes_dir is None
    assert settings.etl.machine
    with pytest.raises(ConfigError, match="MINIO_ENDPOINT is not set"):
        _ = settings.vault_address
    monkeypatch.setenv("ETL_RECIPES_DIR", "")
    assert of("ETL_RECIPES_DIR=/srv/recipes").etl.recipes_dir is not None


def test_a_wrong_value_is_named_with_the_file_that_was_read(of, tmp_path):
    with pytest.raises(ConfigError, match="ETL_LEASE_S: .*greater than or equal to 5") as caught:
        _ = of("ETL_LEASE_S=1").etl
    assert str(tmp_path / "site.env") in str(caught.value)


def test_a_file_that_is_no_text_is_named(of, tmp_path):
    settings = of("ETL_LEASE_S=60")
    (tmp_path / "site.env").write_bytes(b"ETL_LEASE_S=\xff\n")
    with pytest.raises(ConfigError, match=r"site\.env cannot be read: it is not UTF-8"):
        _ = settings.etl
