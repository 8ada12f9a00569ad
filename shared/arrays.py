"""The name for arrays that may be of either world."""

from typing import Any

Array = Any  # a numpy.ndarray or a tensor of the Keras backend: what is computed with `xp`, or with `keras.ops`
