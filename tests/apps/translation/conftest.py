"""One run and one export, of random weights, for all tests of translation."""

import pytest

from apps.translation import export, predictor
from common import export as common_export
from tests.support import translation


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run folder."""
    return translation.make_run(tmp_path_factory.mktemp("translation"))


@pytest.fixture(scope="session")
def run_predictor(run):
    """The predictor of the run."""
    return predictor.load(str(run))


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    """The folder of an export; the contract checks it in a process."""
    checked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            common_export, "check", lambda *args: checked.append(args)
        )
        folder = export.export_run(run, tmp_path_factory.mktemp("exports"))
    assert checked
    return folder


@pytest.fixture(scope="session")
def export_predictor(exported):
    """The predictor of the export."""
    return predictor.load(str(exported))
