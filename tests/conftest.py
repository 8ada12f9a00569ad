"""Fixtures that several test files share."""

import dataclasses

import pytest

from catch_dqn.experiment import EXPERIMENTS


@pytest.fixture
def catch():
    """The Catch experiment."""
    return EXPERIMENTS["catch"]


@pytest.fixture
def small(catch):
    """Settings of a training that takes a second or two."""
    return dataclasses.replace(
        catch.presets["tutorial"], episodes=60, hidden=(16, 16), batch_size=16, replay_capacity=200
    )
