"""Runs that several files of tests share."""

import functools

import numpy as np
import pytest

from apps.video_tagging import predictor
from apps.video_tagging.datasets import builtin
from tests.support import video_tagging as support


@pytest.fixture(scope="session")
def small_frames():
    """Builtin clips, one after the other, of 16 by 16 pixels."""
    scenes = builtin.generate("test", 6, seed=3)
    return np.concatenate([scene.frames for scene in scenes])[:, ::2, ::2]


@pytest.fixture(scope="session")
def frames_run(tmp_path_factory, small_frames):
    """Causal, of builtin frames."""
    folder = tmp_path_factory.mktemp("frames")
    return support.write_frames_run(folder, small_frames)


@pytest.fixture(scope="session")
def features_run(tmp_path_factory):
    """Causal, of features."""
    return support.write_features_run(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="session")
def load_once():
    """Loads a run or an export; each of them once."""
    return functools.cache(lambda path: predictor.load(str(path)))
