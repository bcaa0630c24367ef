"""Uploads that were begun and never completed: their parts take room and no listing shows them.

The SDK has no public calls for them any more; this module alone uses its private ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from minio import Minio

from libs.vault.errors import Place, VaultRefusedError
from libs.vault.translation import vault_errors


def abort_uploads(
    client: Minio, place: Place, is_dead: Callable[[str, datetime], bool]
) -> list[str]:
    """Abort the dead ones whose key begins with the place's key; returns their keys."""
    aborted = []
    for key, upload_id, begun in list(_uploads(client, place)):
        if not is_dead(key, begun):
            continue
        try:
            with vault_errors(replace(place, key=key)):
                client._abort_multipart_upload(place.bucket, key, upload_id)
        except VaultRefusedError:
            continue  # it was completed or aborted since it was listed
        aborted.append(key)
    return aborted


def _uploads(client: Minio, place: Place) -> Iterator[tuple[str, str, datetime]]:
    """Key, upload id, beginning (UTC)."""
    key_marker, id_marker, more = None, None, True
    while more:
        with vault_errors(place):
            page = client._list_multipart_uploads(
                place.bucket, prefix=place.key, key_marker=key_marker, upload_id_marker=id_marker
            )
        for item in page.uploads:
            if item.upload_id and item.initiated_time:
                yield item.object_name, item.upload_id, item.initiated_time
        key_marker, id_marker = page.next_key_marker, page.next_upload_id_marker
        more = page.is_truncated and bool(key_marker)
