"""One batch as a run carries it out: `UPLOAD_JSON RESULT_JSON`. From the vault to the lake."""

import sys
import uuid
from pathlib import Path

from libs.ingest import Platform, run_upload
from libs.models import ManifestUpload
from libs.settings import Settings

upload, result = sys.argv[1:]
with Platform.connect(Settings()) as platform:
    done = run_upload(
        platform, ManifestUpload.model_validate_json(Path(upload).read_bytes()), str(uuid.uuid4())
    )
    asset = done.assets[0].asset
    Path(result).write_text(f"{asset.s3_bucket}\n{asset.s3_key}\n")
