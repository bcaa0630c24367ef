"""One batch as a run carries it out: `UPLOAD_JSON RESULT_TXT`. From the vault to the lake.

In production a run is forked from a process that has imported everything; so is all here imported
before the clock starts.
"""

import sys
import uuid
from pathlib import Path

from benchmarks.contenders.buckets import leave, wait_at_the_gate
from libs.ingest import Platform, run_upload
from libs.ingest.warm import import_all
from libs.models import ManifestUpload
from libs.settings import Settings

upload, result = sys.argv[1:]
import_all()
wait_at_the_gate()
with Platform.connect(Settings()) as platform:
    done = run_upload(
        platform, ManifestUpload.model_validate_json(Path(upload).read_bytes()), str(uuid.uuid4())
    )
    asset = done.assets[0].asset
    Path(result).write_text(f"{asset.s3_bucket}\n{asset.s3_key}\n")
leave()
