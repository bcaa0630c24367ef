"""`.env.example` is checked against the settings' models, so that neither runs ahead."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from libs import admin_settings, settings
from libs.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"
SECTIONS = [
    settings.VaultSettings,
    settings.UploaderSettings,
    settings.LedgerSettings,
    settings.ComputeSettings,
    settings.EtlSettings,
    admin_settings.VaultAdminLogin,
    admin_settings.LedgerAdminLogin,
    admin_settings.ComputeAdminLogin,
    admin_settings.OrchestratorSettings,
    admin_settings.BrokerSettings,
    admin_settings.WorkerSettings,
    admin_settings.ComposeSettings,
    admin_settings.PublishedPorts,
    admin_settings.ImageSettings,
    admin_settings.MonitorSettings,
]
LINE = re.compile(r"^(# )?([A-Z][A-Z0-9_]*)=(.*)$")


def lines() -> dict[str, tuple[bool, str, str]]:
    """By variable: whether it is commented out, its value, the line above it."""
    text = EXAMPLE.read_text().splitlines()
    found = {}
    for number, line in enumerate(text):
        if match := LINE.match(line):
            found[match[2]] = (bool(match[1]), match[3], text[number - 1])
    return found


def fields() -> list:
    return [
        pytest.param(variable, field, id=variable)
        for section in SECTIONS
        for name, field in section.model_fields.items()
        for variable in [f"{section.model_config['env_prefix']}{name}".upper()]
    ]


def test_every_section_of_the_settings_is_known_to_this_test():
    bases = {
        kind
        for module in (settings, admin_settings)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseSettings) and kind is not BaseSettings
    }
    assert {kind for kind in bases if not any(kind in other.__mro__[1:] for other in bases)} == set(
        SECTIONS
    )


def test_the_example_names_no_setting_that_does_not_exist():
    assert set(lines()) == {parameter.values[0] for parameter in fields()}


@pytest.mark.parametrize(("name", "field"), fields())
def test_each_setting_is_described_and_shows_its_default(name, field):
    commented, value, above = lines()[name]
    assert above.startswith("# ") and not LINE.match(above), f"{name} has no description"
    if field.is_required():
        assert not commented and value, f"{name} must be set: give it a placeholder"
    elif commented:
        assert value == ("" if field.default is None else str(field.default))


def test_a_copy_of_the_example_is_a_valid_settings_file(tmp_path, monkeypatch):
    for name in lines():
        monkeypatch.delenv(name, raising=False)
    copy = tmp_path / ".env"
    copy.write_text(EXAMPLE.read_text())
    found = Settings(copy)
    assert found.vault.endpoint == "127.0.0.1:9000"
    assert found.uploader.access_key == "landing"
    assert found.ledger.username == "pipeline"
    assert found.compute.host == "127.0.0.1"
    assert found.etl.workers == 2
