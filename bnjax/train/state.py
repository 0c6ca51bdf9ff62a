"""What training changes: arrays only, no functions."""

from typing import Any, NamedTuple

import jax


class TrainState(NamedTuple):
  """The state of one network in training, or of many along a leading axis.

  Attributes:
    params: trainable parameters.
    batch_stats: running statistics of the norms; {} without any.
    opt_state: the optimizer's.
    key: the run's random key. It never changes: what step `t` draws comes from
      `fold_in(key, t)`, so that a run can go on from any step.
  """

  params: Any
  batch_stats: Any
  opt_state: Any
  key: jax.Array
