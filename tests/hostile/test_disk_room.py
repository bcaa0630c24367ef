"""The free disk is looked at before anything is fetched or unpacked; a full one blames nobody."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import replace

import pytest

from libs.errors import TransientError
from libs.ingest import Committed
from libs.models import RunState
from libs.vault import Vault
from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "disk room"


class CountingVault(Vault):
    """The vault, which tells what was fetched."""

    fetched = 0

    def fetch_file(self, *args, **kwargs):
        type(self).fetched += 1
        return super().fetch_file(*args, **kwargs)


def test_without_room_nothing_is_fetched_and_the_batch_is_tried_again(attack, tmp_path, settings):
    [path] = makers.honest(tmp_path, "GPKG")
    upload = attack.manifest_of(path, "GPKG")
    platform = attack.user.platform
    free = shutil.disk_usage(platform.limits.work_dir).free
    too_much = platform.limits.model_copy(update={"min_free_bytes": 2 * free})
    vault = CountingVault.connect(settings.vault)
    full = replace(attack.user, platform=replace(platform, limits=too_much, vault=vault))
    run_id = str(uuid.uuid4())
    with pytest.raises(TransientError, match="ETL_MIN_FREE_BYTES"):
        full.run(upload, run_id)
    assert CountingVault.fetched == 0
    assert platform.ledger.run(run_id).state is RunState.FAILED
    assert not list(platform.limits.work_dir.rglob("*"))
    assert isinstance(attack.user.run(upload), Committed)
