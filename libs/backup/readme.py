"""What a person finds who opens a folder of backups without this program."""

from __future__ import annotations

FIRST_LINE = "Backups of a spatial-etl platform: its ledger and its lake."
"""A folder is known by it, that of an earlier release too: it never changes."""

README = f"""\
{FIRST_LINE}

objects/           The data, one file an object, under the key that it has in the lake:
                   PROJECT/DATASET/vVERSION/FILE. GeoParquet and Cloud Optimized GeoTIFF: any
                   program that knows these formats opens them. All backups share them.
ledger/UTC-TIME/   One backup. What has an index.json is whole.
    index.json     when it was taken, of what, and the SHA-256 of each of its files
    assets.jsonl   what is known of each object: where it came from, what was done to it. One
                   document of MongoDB a line, as canonical Extended JSON (mongoimport reads it)
    batches.jsonl, datasets.jsonl, runs.jsonl, migrations.jsonl, restores.jsonl   likewise
    objects.jsonl  each object: key, size, SHA-256, and the metadata that it has in the lake
    losses.jsonl   objects that the lake did not give whole when the backup was taken

Is it whole? In the folder of a backup:
    sha256sum --check --quiet SHA256SUMS
    sha256sum --check --quiet objects.sha256

Back into an empty platform:  spatial-etl restore THIS-FOLDER
Change nothing in here: the next backup relies on it.
"""
