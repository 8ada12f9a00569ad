"""What a command line can name: each word, and where the thing itself is. Add yours: `OPTIMIZERS["mine"] = Mine`.

Values are classes, or `"module:attribute"` for what would take long to import (`shared.late.load`). A file never
chooses what is not in a table.
"""

from typing import Any

OPTIMIZERS: dict[str, Any] = {  # (learning rate) -> a Keras optimizer
    "sgd": "keras.optimizers:SGD",
    "rmsprop": "keras.optimizers:RMSprop",
    "rmsprop-graves": "shared.nn.optimizers:RMSPropGraves",
    "adam": "keras.optimizers:Adam",
    "nadam": "keras.optimizers:Nadam",
}
LOSSES: dict[str, Any] = {  # () -> a Keras loss over the vector of action values
    "mse": "keras.losses:MeanSquaredError",
    "mse-taken": "shared.nn.losses:TakenSquaredError",
    "clipped-huber": "shared.nn.losses:ClippedHuber",
}
LEARNERS: dict[str, Any] = {  # (settings) -> a `shared.dqn.learners.Learner`
    "dqn": "shared.dqn.learners.dqn:DQN",
    "quantile": "shared.dqn.learners.quantile:Quantile",
    "categorical": "shared.dqn.learners.categorical:Categorical",
}
SINKS: dict[str, Any] = {  # (run's folder, `shared.runs.sinks.About`) -> a `shared.runs.sinks.Sink`
    "tensorboard": "shared.runs.sinks.tensorboard:TensorBoard",
    "trackio": "shared.runs.sinks.trackio:Trackio",
    "wandb": "shared.runs.sinks.wandb:Wandb",
}
