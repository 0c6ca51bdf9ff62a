"""A network with Algorithm 2's statistics in place of its running ones."""

from typing import Any

from bnjax.lab.train.draw import Draws
from bnjax.lab.train.minibatch import minibatch
from bnjax.lab.train.sharding import ONE_DEVICE, Layout
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import Batch, Task, preprocess, working_variables
from bnjax.tools import recalibrate_stacked


def with_population_statistics(
  task: Task,
  state: TrainState,
  train: Batch | None,
  draws: Draws,
  image_shape: tuple[int, ...],
  layout: Layout = ONE_DEVICE,
) -> TrainState:
  """The state with statistics of some minibatches at its own parameters.

  Args:
    task: what is trained.
    state: of one network that has batch norms.
    train: the training set, as `bnjax.lab.train.loop.train_steps` takes it.
    draws: the minibatches, of one network: `rows` `[batches, batch]`.
    image_shape: of one image.
    layout: divides each minibatch over devices.

  Returns:
    The state with `batch_stats` by the paper's Algorithm 2, lines 8 to 10.
  """

  def call(model: Any, draw: Draws) -> Any:
    batch = minibatch(train, draw, image_shape, layout)
    images = preprocess(task, batch.images)
    return model(images, train=False, mask=batch.mask)

  recalibrated = recalibrate_stacked(
    task.model,
    working_variables(task, state),
    draws,
    call=call,
    estimator="paper",
  )
  return state._replace(batch_stats=recalibrated["batch_stats"])
