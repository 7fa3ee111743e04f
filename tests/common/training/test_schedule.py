"""Sizes that follow from the amount of data, unless given."""

import dataclasses

import pytest

from common.training import schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of a test."""

    batch_size: int = 0
    passes: int = 0
    epochs: int = 6


@pytest.mark.parametrize("amount", [1, 2, 16, 240, 1_000, 10_000, 10**6])
def test_every_amount_of_data_has_enough_steps_of_a_fair_size(amount):
    config = schedule.complete(Config(), amount, most=64, least=4)
    steps = -(-amount // config.batch_size)
    assert 4 <= config.batch_size <= 64
    assert config.passes * steps >= schedule.MIN_STEPS
    assert (config.passes - 1) * steps < schedule.MIN_STEPS
    if config.batch_size > 4:
        assert steps >= schedule.MIN_BATCHES


def test_much_data_have_the_greatest_batch_and_one_pass():
    config = schedule.complete(Config(), 9_000, most=64, least=4)
    assert (config.batch_size, config.passes) == (64, 1)


def test_what_is_given_stays():
    config = Config(batch_size=100, passes=3)
    assert schedule.complete(config, 50, most=64, least=4) == config


def test_the_length_of_a_training_in_words():
    text = schedule.describe(Config(8, 2), num_steps=60)
    assert text == (
        "8 examples a step, 60 steps an epoch (2 --passes), at most 6 epochs"
    )
