"""What the end-to-end tests share: a user with a bucket, and Dagster's own page to look at."""

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="session")
def settings():
    from libs.settings import Settings

    return Settings()


@pytest.fixture(scope="session")
def landing(settings):
    from libs.vault import Vault

    user = settings.uploader
    return Vault.connect_as(settings.vault, user.access_key, user.secret_key)


@pytest.fixture(scope="session")
def platform(settings):
    from libs.ingest import Platform

    platform = Platform.connect(settings)
    yield platform
    platform.close()


@dataclass
class Page:
    """Dagster's page, asked over the GraphQL that the page itself uses."""

    url: str

    def ask(self, query: str, **variables):
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        )
        answer.raise_for_status()
        body = answer.json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    def runs_of(self, run_key: str):
        data = self.ask(
            """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) {
              ... on Runs { results { runId status } } } }""",
            tags=[{"key": "spatial_etl/upload", "value": run_key}],
        )
        return data["runsOrError"]["results"]

    def run(self, run_id: str):
        data = self.ask(
            "query($id: ID!) { runOrError(runId: $id) { ... on Run { runId status } } }", id=run_id
        )
        return data["runOrError"]

    def wait(self, run_id: str, timeout_s: float = 90) -> str:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            status = self.run(run_id)["status"]
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(0.5)
        raise AssertionError(f"run {run_id} has not ended after {timeout_s} s: {status}")

    def reexecute(self, run_id: str) -> str:
        data = self.ask(
            """mutation($id: String!) { launchRunReexecution(
              reexecutionParams: {parentRunId: $id, strategy: ALL_STEPS}) {
              __typename ... on LaunchRunSuccess { run { runId } }
              ... on PythonError { message } } }""",
            id=run_id,
        )["launchRunReexecution"]
        assert data["__typename"] == "LaunchRunSuccess", data
        return data["run"]["runId"]

    def terminate(self, run_id: str) -> None:
        data = self.ask(
            """mutation($id: String!) { terminateRun(runId: $id) { __typename
              ... on PythonError { message } } }""",
            id=run_id,
        )["terminateRun"]
        assert data["__typename"] == "TerminateRunSuccess", data

    def materializations(self, asset_key: list[str]):
        data = self.ask(
            """query($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
              assetMaterializations { runId metadataEntries { __typename label
                ... on TextMetadataEntry { text } ... on IntMetadataEntry { intValue }
                ... on JsonMetadataEntry { jsonString } ... on PathMetadataEntry { path }
                ... on MarkdownMetadataEntry { mdStr } } } } } }""",
            key={"path": asset_key},
        )
        return data["assetOrError"]["assetMaterializations"]


@pytest.fixture(scope="session")
def page(settings):
    return Page(settings.etl.dagster_url)


@dataclass
class Submitter:
    """A person who can reach nothing but the bucket."""

    vault: object
    bucket: str
    name: str

    def upload(self, path: Path) -> str:
        key = f"{self.name}/{path.name}"
        self.vault.put_file(
            self.bucket, key, path, metadata={}, content_type="application/octet-stream"
        )
        return f"s3://{self.bucket}/{key}"

    def manifest(self, files, name="m", intent="ingest_vector", **changes) -> str:
        body = {
            "batch_id": f"{self.name}-{name}",
            "uploader": "e2e",
            "intent": intent,
            "files": files,
            "metadata": {"project": self.name, "description": "End to end"},
            **changes,
        }
        return self.put(f"manifests/{self.name}-{name}.json", json.dumps(body).encode())

    def put(self, key: str, body: bytes) -> str:
        self.vault.put_bytes(self.bucket, key, body, content_type="application/json")
        return key

    def run_key(self, key: str) -> str:
        from libs.models import ManifestUpload

        (seen,) = [item for item in self.vault.list_objects(self.bucket, key) if item.key == key]
        return ManifestUpload(
            key=key, etag=seen.etag, last_modified=seen.last_modified, size_bytes=seen.size_bytes
        ).run_key

    def receipt(self, key: str, timeout_s: float = 90) -> dict:
        """Wait for the answer in the bucket, wherever it comes."""
        name = key.removeprefix("manifests/").removesuffix(".json")
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for folder in ("done", "rejected"):
                answer = f"manifests/{folder}/{name}.receipt.json"
                seen = self.vault.stat(self.bucket, answer)
                if seen is not None:
                    return json.loads(
                        self.vault.read_bytes(self.bucket, answer, etag=None, max_bytes=10_000_000)
                    )
            time.sleep(0.2)
        raise AssertionError(f"no receipt for {key} after {timeout_s} s")


@pytest.fixture
def person(landing, settings):
    name = f"e2e-{uuid.uuid4().hex[:10]}"
    return Submitter(landing, settings.vault.landing_bucket, name)
