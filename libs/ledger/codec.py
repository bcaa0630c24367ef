"""Models to BSON documents and back, losslessly at millisecond precision; touches no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from libs.ledger.errors import UnreadableDocumentError
from libs.models import Document

BsonDocument = dict[str, Any]
D = TypeVar("D", bound=Document)


def encode(model: BaseModel) -> BsonDocument:
    """The document of a model, nested ones included; `id` becomes `_id` in a `Document`."""
    return {key: to_bson(value) for key, value in model.model_dump(by_alias=True).items()}


def to_bson(value: object) -> object:
    """One value as BSON keeps it: UTC moments to the millisecond, enums by value, lists."""
    if isinstance(value, BaseModel):
        return encode(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Mapping):
        return {str(key): to_bson(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [to_bson(item) for item in value]
    return value


def decode(model: type[D], document: Mapping[str, Any], collection: str) -> D:
    """Read a document; raise `UnreadableDocumentError` naming collection, id and fields."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise UnreadableDocumentError(collection, document.get("_id"), faults) from None


def _moment(value: datetime) -> datetime:
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    aware = aware.astimezone(timezone.utc)
    return aware.replace(microsecond=aware.microsecond // 1000 * 1000)
