"""What every test may ask for, and how property tests explore."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import nginx as server, packages
from tests.support.nginx import NginxServer
from tests.support.packages import Built, Environment
from tests.support.payload import SIZES, Payload

settings.register_profile("ci", derandomize=True, max_examples=200, deadline=None)
settings.load_profile("ci")


@pytest.fixture(scope="session", autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever runs the tests, what they have set and saved plays no part."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HYDRA_TUI_")]:
            patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        yield


@pytest.fixture(scope="session")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Payload:
    """Files of many sizes, the same on every machine."""
    return Payload.make(tmp_path_factory.mktemp("payload"), SIZES)


@pytest.fixture(scope="session")
def nginx(payload: Payload) -> Iterator[NginxServer]:
    """A real nginx that serves `payload`."""
    if not server.available():
        pytest.skip(server.SKIP_REASON)
    with NginxServer(payload.directory) as running:
        yield running


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What is handed to people, built once from a copy of the project."""
    if reason := packages.unreachable():
        pytest.skip(reason)
    project = packages.copied(tmp_path_factory.mktemp("sources"))
    return packages.built(project, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with nothing but the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    return packages.environment(folder, built.wheel)
