"""The policy documents, as a server would match them: action and resource with wildcards."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from libs.errors import ConfigError
from libs.vault.policies import Role, policy_of


def allows(role: Role, action: str, resource: str) -> bool:
    """IAM's own rule: something allows it and nothing denies it."""
    effects = {
        statement["Effect"]
        for statement in policy_of(role, "in-box", "the-lake")["Statement"]
        if "Resource" in statement  # one about administration has none
        and any(fnmatchcase(f"s3:{action}", pattern) for pattern in statement["Action"])
        and any(fnmatchcase(f"arn:aws:s3:::{resource}", name) for name in statement["Resource"])
    }
    return effects == {"Allow"}


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("PutObject", "in-box/batch/roads.shp"),
        ("GetObject", "in-box/a..b/c"),
        ("DeleteObject", "in-box/x"),
        ("AbortMultipartUpload", "in-box/x"),
        ("ListBucket", "in-box"),
        ("ListBucket", "the-lake"),
        ("GetObject", "the-lake/p/d/v1/x.parquet"),
        ("PutObject", "in-box/manifests/m.json"),
        ("PutObject", "in-box/manifests/failed.json"),
        ("GetObject", "in-box/manifests/done/m.receipt.json"),
        ("DeleteObject", "in-box/manifests/done/m.json"),
    ],
)
def test_the_landing_user_may(action: str, resource: str) -> None:
    assert allows(Role.LANDING_USER, action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("PutObject", "the-lake/x"),
        ("DeleteObject", "the-lake/x"),
        ("AbortMultipartUpload", "the-lake/x"),
        ("PutObject", "in-box/../the-lake/x"),
        ("DeleteObject", "in-box/a/../../the-lake/x"),
        ("GetObject", "in-box//../.minio.sys/config/iam/users/pipeline/identity.json"),
        ("GetObject", "the-lake/../.minio.sys/config/iam/users/pipeline/identity.json"),
        ("GetObject", "elsewhere/x"),
        ("ListBucket", "elsewhere"),
        ("PutBucketPolicy", "in-box"),
        ("DeleteBucket", "in-box"),
        ("PutObject", "in-box/manifests"),
        ("PutObject", "in-box/manifests/done"),
        ("PutObject", "in-box/manifests/rejected"),
        ("PutObject", "in-box/manifests/failed"),
        ("PutObject", "in-box/manifests/done/m.receipt.json"),
        ("PutObject", "in-box//manifests"),
        ("PutObject", "in-box/./manifests/done"),
    ],
)
def test_the_landing_user_may_not(action: str, resource: str) -> None:
    assert not allows(Role.LANDING_USER, action, resource)


def test_the_pipeline_writes_both_buckets_and_rules_neither() -> None:
    for bucket in ("in-box", "the-lake"):
        for action in ("GetObject", "PutObject", "DeleteObject"):
            assert allows(Role.PIPELINE, action, f"{bucket}/p/x")
        assert allows(Role.PIPELINE, "ListBucketMultipartUploads", bucket)
        assert not allows(Role.PIPELINE, "PutBucketPolicy", bucket)
        assert not allows(Role.PIPELINE, "DeleteBucket", bucket)


@pytest.mark.parametrize(
    ("landing", "lake"), [("*", "lake-1"), ("in-box", "LAKE"), ("same", "same"), ("in-box", 'a"b')]
)
def test_names_that_would_widen_a_policy_are_refused(landing: str, lake: str) -> None:
    with pytest.raises(ConfigError):
        policy_of(Role.LANDING_USER, landing, lake)
