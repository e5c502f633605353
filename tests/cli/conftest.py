"""A provider and a user's folder for every test of the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.provider import Provider, serving
from tests.cli.workplace import Workplace


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def campaign(tmp_path: Path, provider: Provider) -> Workplace:
    """The installed command, in a folder with a campaign of five, with the provider and a key."""
    return Workplace(tmp_path, provider.base_url)


@pytest.fixture
def offline(tmp_path: Path) -> Workplace:
    """The same without a provider and without a key."""
    workplace = Workplace(tmp_path, None)
    del workplace.environment["EIGHTXEIGHT_API_KEY"]
    return workplace
