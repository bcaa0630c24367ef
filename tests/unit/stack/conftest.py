import pytest

from libs.stack import StackPaths
from libs.stack.identity import Identity, Ports


@pytest.fixture
def paths(tmp_path):
    paths = StackPaths.of(tmp_path / "state with a space")
    paths.make()
    return paths


@pytest.fixture
def identity(paths):
    ports = Ports(
        vault=21001, gateway=21005, ledger=21002, compute=21003, webserver=21004, monitor=21006
    )
    return Identity(ports=ports, compute_dir=paths.compute)


@pytest.fixture
def secrets(identity):
    """Every password of the stack."""
    accounts = [value for _, value in identity if hasattr(value, "password")]
    return {account.clear for account in accounts}
