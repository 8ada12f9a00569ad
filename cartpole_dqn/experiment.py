"""The seven variants by name, from what cannot learn to what learns best."""

from cartpole_dqn.double import DOUBLE
from cartpole_dqn.dqn import DQN
from cartpole_dqn.dueling import DUELING
from cartpole_dqn.fixed_targets import FIXED_TARGETS
from cartpole_dqn.naive import NAIVE
from cartpole_dqn.neural import NEURAL
from cartpole_dqn.tabular import TABULAR
from shared.runs.suite import Suite

LESSONS = (NAIVE, TABULAR, NEURAL, DQN, FIXED_TARGETS, DOUBLE, DUELING)
EXPERIMENTS = {variant.name: variant for variant in (DQN, *LESSONS)}  # the first one is the default
SUITE = Suite("cartpole_dqn", EXPERIMENTS, flag="--variant")
