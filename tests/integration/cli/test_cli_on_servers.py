"""The commands on real servers; results compared with what other tools read and hash."""

import hashlib
import re
import time
import uuid

import geopandas
import numpy as np
import pytest
import rasterio
from shapely.geometry import Point

pytestmark = pytest.mark.integration


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """Makes a GeoPackage of points in UTM 33."""

    def make(file_name="points.gpkg", x=500_000):
        path = tmp_path_factory.mktemp("points") / file_name
        frame = geopandas.GeoDataFrame(
            {"n": [1, 2]}, geometry=[Point(x, 5_400_000), Point(x, 5_400_900)], crs="EPSG:32633"
        )
        frame.to_file(path)
        return path

    return make


def test_a_real_shapefile_goes_all_the_way_and_comes_back(
    countries, spatial_etl, natural_earth, name, tmp_path
):
    (asset,) = countries["batch"]["assets"]
    assert countries["batch"]["state"] == "committed"
    assert asset["dataset_id"] == f"{name}/countries"
    assert asset["row_count"] == 177

    ended = spatial_etl("get", asset["id"], tmp_path / "c.parquet", "--json")
    assert ended.code == 0, ended.err
    assert sha256(tmp_path / "c.parquet") == asset["content_hash"]
    got, source = geopandas.read_parquet(tmp_path / "c.parquet"), geopandas.read_file(natural_earth)
    assert sorted(got["name"]) == sorted(source["name"])
    bounds = asset["bounds"]
    corners = [bounds[key] for key in ("min_x", "min_y", "max_x", "max_y")]
    assert corners == pytest.approx(list(got.total_bounds))


def test_the_receipt_that_is_read_from_the_bucket_agrees_with_the_ledger(countries, natural_earth):
    (file,) = countries["receipt"]["files"]
    (asset,) = countries["batch"]["assets"]
    assert file["content_hash"] == asset["content_hash"]
    assert countries["receipt"]["fingerprint"] == countries["batch"]["fingerprint"]
    sources = {uri.rsplit(".", 1)[-1]: digest for uri, digest in file["source_sha256"].items()}
    assert sources == {
        ending: sha256(natural_earth.with_suffix(f".{ending}"))
        for ending in ("shp", "shx", "dbf", "prj", "cpg")
    }


def test_the_same_command_again_is_recognised_as_done(
    countries, submit, natural_earth, spatial_etl, name
):
    again = submit(natural_earth, batch="countries", options=["--dataset", "countries"])
    assert again.code == 0, again.err
    assert again.document["already_done"]
    assert not countries["already_done"]
    assert again.document["batch"]["assets"] == countries["batch"]["assets"]
    listed = spatial_etl("assets", "--project", name, "--json").document["assets"]
    assert [item["version"] for item in listed if item["dataset_id"] == f"{name}/countries"] == [1]


def test_a_changed_file_becomes_the_next_version_and_both_can_be_asked_for(
    submit, spatial_etl, points, name
):
    for version, x in ((1, 400_000), (2, 600_000)):
        ended = submit(points(x=x), batch="points")
        assert ended.code == 0, ended.err
        assert ended.document["batch"]["assets"][0]["version"] == version
    newest = spatial_etl("asset", f"{name}/points", "--json").document
    assert (newest["asset"]["version"], newest["versions"]) == (2, [2, 1])
    first = spatial_etl("asset", f"{name}/points@1", "--json").document
    assert first["asset"]["version"] == 1
    assert first["asset"]["content_hash"] != newest["asset"]["content_hash"]
    absent = spatial_etl("asset", f"{name}/points@3")
    assert absent.code == 3
    assert "there are: 2, 1" in absent.err


def test_a_raster_goes_all_the_way(submit, tmp_path):
    pixels = np.arange(64 * 48, dtype="float32").reshape(1, 48, 64)
    profile = {
        "driver": "GTiff", "width": 64, "height": 48, "count": 1, "dtype": "float32",
        "crs": "EPSG:4326", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 50),
    }  # fmt: skip
    with rasterio.open(tmp_path / "heights.tif", "w", **profile) as target:
        target.write(pixels)
    ended = submit(tmp_path / "heights.tif", batch="raster", intent="ingest_satellite_raster")
    assert ended.code == 0, ended.err
    (asset,) = ended.document["batch"]["assets"]
    assert (asset["kind"], asset["width_height"]) == ("raster", [64, 48])


def test_data_that_the_platform_rejects_ends_with_4_and_every_problem(submit, points, spatial_etl):
    elsewhere = points("elsewhere.gpkg", x=1e12)
    ended = submit(points("good.gpkg"), elsewhere, batch="bad")
    assert ended.code == 4, ended.err
    batch = ended.document["batch"]
    assert (batch["state"], batch["assets"]) == ("rejected", [])
    problems = [problem for file in batch["files"] for problem in file["problems"]]
    assert any("elsewhere" in problem["where"] for problem in problems), problems
    assert ended.document["receipt"]["outcome"] == "rejected"
    shown = spatial_etl("status", batch["batch_id"])
    assert all(problem["where"] in shown.out for problem in problems)


def test_with_skip_file_what_is_good_is_committed_and_what_is_not_is_named(submit, points):
    files = (points("fine.gpkg"), points("lost.gpkg", x=1e12))
    ended = submit(*files, batch="skip", options=["--on-error", "skip_file"])
    assert ended.code == 0, ended.err
    outcomes = [file["outcome"] for file in ended.document["batch"]["files"]]
    assert outcomes == ["committed", "skipped"]


def test_what_cannot_be_read_here_is_not_even_sent(
    submit, uploader_vault, settings, tmp_path, name
):
    (tmp_path / "a.geojson").write_text("no json")
    ended = submit(tmp_path / "a.geojson", batch="unsent")
    assert ended.code == 4
    assert ended.document["problems"][0]["where"].endswith("a.geojson")
    sent = uploader_vault.list_objects(settings.vault.landing_bucket, f"{name}-unsent")
    assert list(sent) == []


def test_one_who_reaches_nothing_but_the_bucket_is_answered_from_there(submit, points, tmp_path):
    only_bucket = tmp_path / "bucket.env"
    from libs.settings import default_env_file

    lines = default_env_file().read_text().splitlines()
    known = ("MINIO_ENDPOINT=", "MINIO_SECURE=", "LANDING_")
    only_bucket.write_text("\n".join(line for line in lines if line.startswith(known)))
    ended = submit(points("alone.gpkg"), batch="alone", SPATIAL_ETL_ENV_FILE=str(only_bucket))
    assert ended.code == 0, ended.err
    assert ended.document["batch"] is None
    assert ended.document["receipt"]["outcome"] == "committed"
    assert ended.document["receipt"]["files"][0]["version"] == 1


@pytest.fixture
def sent(uploader_vault, settings, points):
    """A submission whose manifest lies where no sensor looks, and the landing zone as its user."""
    from libs.cli.manifest_maker import Words, make_submission
    from libs.cli.source_files import Wishes, look_at_all
    from libs.cli.uploading import LandingZone
    from libs.models import ManifestUpload

    landing = LandingZone(uploader_vault, settings.vault.landing_bucket)
    words = Words(project="P", intent="ingest_vector", uploader="ana", batch_id="b")
    sources = look_at_all([points("a.gpkg")], Wishes(), settings.etl)
    submission = make_submission(sources, words, landing.bucket)
    key = f"manifests/unseen-{uuid.uuid4().hex}/b.json"

    def upload():
        uploader_vault.put_bytes(landing.bucket, key, submission.body)
        seen = uploader_vault.stat(landing.bucket, key)
        return ManifestUpload(
            key=key, etag=seen.etag, last_modified=seen.last_modified, size_bytes=seen.size_bytes
        )

    yield landing, submission, upload
    uploader_vault.remove(landing.bucket, key)


def test_in_the_bucket_a_failed_try_of_this_upload_is_an_answer_and_an_older_one_is_none(
    sent, vault
):
    from libs.cli.errors import WaitTimeoutError
    from libs.cli.following import follow_in_the_bucket
    from libs.models import Receipt, utc_now

    landing, submission, send = sent
    receipt = Receipt(
        batch_id="b", outcome="failed", summary="The ledger was away.", manifest_key="m",
        manifest_sha256=hashlib.sha256(submission.body).hexdigest(), fingerprint="0" * 64,
        run_id=None, intent=None, received_at=utc_now(), ended_at=utc_now(),
    )  # fmt: skip
    folder = send().key.removesuffix("/b.json")
    key, body = f"{folder}/failed/b.receipt.json", receipt.model_dump_json().encode()
    vault.put_bytes(landing.bucket, key, body)
    time.sleep(1.1)  # a HEAD gives whole seconds
    upload = send()
    with pytest.raises(WaitTimeoutError, match="failed/, as b.receipt.json"):
        follow_in_the_bucket(landing, submission, upload, timeout_s=0)
    vault.put_bytes(landing.bucket, key, body)
    assert follow_in_the_bucket(landing, submission, upload, timeout_s=0) == receipt
    vault.remove(landing.bucket, key)


def test_status_shows_the_stages_and_where_the_receipt_lies(countries, spatial_etl, vault, name):
    (batch,) = spatial_etl("status", f"{name}-countries", "--json").document["batches"]
    stages = [stage["stage"] for stage in batch["run"]["stages"]]
    assert batch["state"] == "committed"
    assert stages[0] == "receive"
    bucket, _, key = batch["receipt_uri"].removeprefix("s3://").partition("/")
    assert vault.stat(bucket, key) is not None
    by_fingerprint = spatial_etl("status", batch["fingerprint"][:10], "--json").document
    assert by_fingerprint["batches"][0]["batch_id"] == f"{name}-countries"
    shown = spatial_etl("status", f"{name}-countries").out
    assert batch["fingerprint"] in shown
    assert batch["receipt_uri"] in shown
    assert f"{name}-countries" in spatial_etl("status").out


def test_lineage_leads_from_the_sources_over_the_steps_to_the_asset(
    countries, spatial_etl, natural_earth
):
    (asset,) = countries["batch"]["assets"]
    found = spatial_etl("lineage", asset["id"], "--json").document
    assert sha256(natural_earth) in {source["sha256"] for source in found["sources"]}
    steps = found["recipe"]["steps"]
    assert steps
    assert all(step["seconds"] >= 0 and step["started_at"] for step in steps)
    shown = spatial_etl("lineage", asset["id"]).out
    for wanted in (sha256(natural_earth), asset["content_hash"], *(step["name"] for step in steps)):
        assert wanted in shown


def test_every_command_prints_pure_json_and_nothing_of_it_in_colour(countries, spatial_etl):
    (asset,) = countries["batch"]["assets"]
    for command in (
        ["assets"], ["asset", asset["id"]], ["lineage", asset["id"]], ["status"],
        ["recipes"], ["audit"],
    ):  # fmt: skip
        ended = spatial_etl(*command, "--json", FORCE_COLOR="1")
        assert isinstance(ended.document, dict), command
        plain = spatial_etl(*command)
        assert "\x1b" not in plain.out + plain.err


def test_a_download_never_overwrites_and_never_keeps_wrong_bytes(countries, spatial_etl, tmp_path):
    (asset,) = countries["batch"]["assets"]
    target = tmp_path / "mine.parquet"
    target.write_bytes(b"mine")
    refused = spatial_etl("get", asset["id"], target)
    assert (refused.code, target.read_bytes()) == (2, b"mine")
    assert spatial_etl("get", asset["id"], target, "--force").code == 0
    assert sha256(target) == asset["content_hash"]
    into_folder = spatial_etl("get", asset["id"], tmp_path, "--json").document
    assert re.fullmatch(r".*/countries-[0-9a-f]{12}\.parquet", into_folder["path"])
    nowhere = spatial_etl("get", asset["id"], tmp_path / "no" / "a.parquet")
    assert nowhere.code == 2
    assert f"{tmp_path / 'no'}: no such file or directory" in nowhere.err


@pytest.fixture
def altered(submit, points, vault, spatial_etl):
    """A committed asset whose object somebody with the pipeline's rights has overwritten."""
    (asset,) = submit(points("altered.gpkg"), batch="altered").document["batch"]["assets"]
    bucket, _, key = asset["s3_uri"].removeprefix("s3://").partition("/")
    before = vault.stat(bucket, key)
    body = vault.read_bytes(bucket, key, etag=None, max_bytes=10_000_000)
    vault.put_bytes(bucket, key, b"X" + body[1:], metadata=before.metadata)
    yield asset
    vault.put_bytes(bucket, key, body, metadata=before.metadata)


def test_altered_bytes_are_never_kept_and_end_with_5(altered, spatial_etl, tmp_path):
    ended = spatial_etl("get", altered["id"], tmp_path / "a.parquet")
    assert ended.code == 5
    assert altered["content_hash"] in ended.err
    assert list(tmp_path.iterdir()) == []


def test_an_audit_that_finds_a_loss_ends_with_6_and_names_the_asset(altered, spatial_etl):
    ended = spatial_etl("audit", "--verify-bytes", "--json")
    assert ended.code == 6, ended.err
    found = {item["kind"]: item for item in ended.document["findings"]}
    assert altered["dataset_id"] in found["altered_object"]["subject"]
    assert altered["dataset_id"] in spatial_etl("audit", "--verify-bytes").out


def test_waiting_ends_with_7_when_nobody_takes_the_manifest_up(spatial_etl, points, name):
    ended = spatial_etl(
        "submit", points("late.gpkg"), "--project", name, "--intent", "ingest_vector",
        "--batch-id", f"{name}-late", "--timeout", "0",
    )  # fmt: skip
    assert ended.code == 7
    assert f"{name}-late" in ended.err
    assert "Traceback" not in ended.err


def test_the_landing_user_may_not_write_to_the_lake(uploader_vault, settings):
    from libs.vault import VaultDeniedError

    with pytest.raises(VaultDeniedError):
        uploader_vault.put_bytes(settings.vault.lake_bucket, "cli-test", b"x")
