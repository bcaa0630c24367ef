"""What Compose and Kustomize describe, as plain documents; nothing of it is run."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
OVERLAYS = ("dev", "prod", "prod-external")


@cache
def _kustomize() -> tuple[str, ...] | None:
    if shutil.which("kustomize"):
        return ("kustomize", "build")
    if shutil.which("kubectl"):
        return ("kubectl", "kustomize")
    return None


@cache
def _render(overlay: str) -> str:
    program = _kustomize()
    if program is None:
        pytest.skip("neither kustomize nor kubectl is installed here; one of them renders overlays")
    done = subprocess.run(
        [*program, str(ROOT / "deploy/kustomize/overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def template_of(item: dict) -> dict | None:
    """The template of the pods that an object makes; None: it makes none."""
    spec = item.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec["template"] if isinstance(spec.get("template"), dict) else None


@pytest.fixture(params=OVERLAYS)
def overlay(request) -> str:
    return request.param


@pytest.fixture
def objects(overlay) -> list[dict]:
    """All objects of one overlay, rendered by the real kustomize."""
    return list(yaml.safe_load_all(_render(overlay)))


@pytest.fixture
def every_object() -> list[tuple[str, dict]]:
    """All objects of all overlays, each with its overlay's name."""
    return [(name, item) for name in OVERLAYS for item in yaml.safe_load_all(_render(name))]


@pytest.fixture
def compose() -> dict:
    """docker-compose.yaml with its anchors resolved and its variables as they stand."""
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


@pytest.fixture
def root() -> Path:
    return ROOT
