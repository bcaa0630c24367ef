"""What is wrong with the settings is said in one sentence before anything starts."""

import pytest

from libs.settings import ENV_FILE_VARIABLE

GOOD = {
    "MINIO_ENDPOINT": "127.0.0.1:9", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "sesame-1",
    "MONGODB_URI": "mongodb://127.0.0.1:9/", "POSTGIS_HOST": "127.0.0.1", "POSTGIS_PORT": "9",
    "POSTGIS_USER": "u", "POSTGIS_PASSWORD": "sesame-2", "MINIO_TIMEOUT_S": "2",
    "MONGODB_TIMEOUT_S": "2",
}  # fmt: skip


@pytest.fixture
def said(monkeypatch, tmp_path, capsys):
    from etl_pipelines import environment

    def say(**changes):
        settings = {**GOOD, **changes}
        file = tmp_path / "settings"
        file.write_text("".join(f"{k}={v}\n" for k, v in settings.items() if v is not None))
        for name in {*settings, "MINIO_TIMEOUT_S"}:
            monkeypatch.setenv(name, "placeholder")
            monkeypatch.delenv(name)
        monkeypatch.setenv(ENV_FILE_VARIABLE, str(file))
        code = environment.main()
        return code, capsys.readouterr().err

    return say


def test_a_missing_secret_is_named_with_the_cure(said):
    code, text = said(POSTGIS_PASSWORD=None)
    assert code == 78
    assert "POSTGIS_PASSWORD is not set" in text
    assert "Traceback" not in text
    assert text.count("\n") == 1


def test_a_server_that_is_not_there_is_named_and_no_secret_is_told(said):
    code, text = said()
    assert code == 78
    assert "127.0.0.1:9" in text
    assert "sesame" not in text
    assert "Traceback" not in text


@pytest.fixture
def resources(monkeypatch, tmp_path):
    """What Dagster's runs and sensors get, by a settings file and an environment."""
    from etl_pipelines import environment, factory
    from libs.settings import Settings

    def of(*lines, **variables):
        file = tmp_path / "settings"
        known = [f"{name}={value}" for name, value in GOOD.items() if name != "POSTGIS_PORT"]
        file.write_text("".join(f"{line}\n" for line in [*known, *lines]))
        for name in (*GOOD, "POSTGIS_DATABASE", "MONGODB_DATABASE", "MONGODB_USERNAME",
                     "MONGODB_PASSWORD", "ETL_RECIPES_DIR"):  # fmt: skip
            monkeypatch.setenv(name, "placeholder")  # so that it is put back afterwards
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv(ENV_FILE_VARIABLE, str(file))
        environment.load_environment()
        made = factory.resources_from_environment()
        return Settings(), {
            name: made[name].process_config_and_initialize().settings()
            for name in ("mongodb", "postgis")
        }

    return of


@pytest.mark.parametrize("lines", [(), ("POSTGIS_PORT=", "POSTGIS_DATABASE=")])
def test_what_has_a_default_has_it_for_dagster_too(resources, lines):
    settings, made = resources(*lines)
    assert made["postgis"] == settings.compute
    assert (made["postgis"].port, made["postgis"].database) == (5432, "compute")


def test_an_empty_variable_hides_no_value_of_the_file(resources):
    """Two ledgers over one lake came of that."""
    settings, made = resources("MONGODB_DATABASE=mine", MONGODB_DATABASE="")
    assert made["mongodb"] == settings.ledger
    assert made["mongodb"].database == "mine"


def test_a_ledger_that_asks_for_no_user_is_given_none(resources):
    _, made = resources()
    assert made["mongodb"].username is None
    _, made = resources("MONGODB_USERNAME=u", "MONGODB_PASSWORD=p")
    assert made["mongodb"].username == "u"
