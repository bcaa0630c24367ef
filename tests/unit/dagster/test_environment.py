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
