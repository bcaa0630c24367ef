"""What `/readyz` says, by what the watch knows."""

import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from libs.monitor.server import MetricsServer


@pytest.fixture
def answer():
    """The status of `/readyz` for a watch."""

    def ask(**watch):
        known = {"has_looked": True, "is_stuck": False, "verdicts": (), **watch}
        server = MetricsServer(("127.0.0.1", 0), CollectorRegistry(), SimpleNamespace(**known))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}/readyz"
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        finally:
            server.shutdown()
            server.server_close()

    return ask


def verdict(problem=None):
    return SimpleNamespace(server="ledger", problem=problem, at=0.0)


def test_it_is_ready_when_all_servers_answer(answer):
    assert answer(verdicts=(verdict(), verdict())) == 200


@pytest.mark.parametrize(
    "watch",
    [
        {"verdicts": (verdict(), verdict("does not answer"))},
        {"has_looked": False},
        {"is_stuck": True, "verdicts": (verdict(),)},
    ],
    ids=["one is away", "nobody has looked", "a look hangs"],
)
def test_it_is_not_ready_otherwise(answer, watch):
    assert answer(**watch) == 503
