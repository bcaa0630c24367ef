"""When two values are the same upload of a manifest."""

from datetime import timedelta

from libs.models import ManifestUpload, utc_now

UPLOAD = ManifestUpload(key="manifests/m.json", etag="e", last_modified=utc_now(), size_bytes=2)


def test_an_upload_is_itself_also_after_the_ledger_has_cut_its_microseconds():
    finer = UPLOAD.model_copy(
        update={"last_modified": UPLOAD.last_modified + timedelta(microseconds=999)}
    )
    assert finer.is_same_as(UPLOAD)
    assert UPLOAD.is_same_as(finer)


def test_another_key_another_etag_or_another_moment_is_another_upload():
    later = UPLOAD.last_modified + timedelta(milliseconds=1)
    for change in ({"key": "manifests/n.json"}, {"etag": "f"}, {"last_modified": later}):
        assert not UPLOAD.model_copy(update=change).is_same_as(UPLOAD)
