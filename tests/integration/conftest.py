"""The servers that the settings name, and a user of them; see `tests/servers.py`."""

from tests.servers import (  # noqa: F401
    compute,
    ledger,
    platform,
    settings,
    uploader_vault,
    user,
    vault,
)
