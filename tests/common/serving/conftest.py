"""One folder of small models for all tests of the server."""

import shutil

import pytest

from tests.support import serving


@pytest.fixture(scope="session")
def made_exports(tmp_path_factory):
    """Written once; copy it before you change it."""
    folder = tmp_path_factory.mktemp("exports")
    serving.save(serving.Half(), folder / "half" / "1")
    serving.save(serving.Texts(), folder / "texts" / "1")
    serving.save(serving.Batches(), folder / "batches" / "1")
    sums = serving.Sums()
    serving.save(sums, folder / "sums" / "3", step=sums.step)
    serving.save(serving.Slow(), folder / "slow" / "1")
    serving.save_examples(folder / "examples" / "1")
    return folder


@pytest.fixture(scope="module")
def exports(made_exports, tmp_path_factory):
    """A copy that the tests of one file share."""
    folder = tmp_path_factory.mktemp("served") / "exports"
    shutil.copytree(made_exports, folder)
    return folder


@pytest.fixture(scope="module")
def routes(exports):
    routes = serving.make_routes(exports)
    yield routes
    routes.models.close()
    routes.runner.close()
