"""Published numbers, with their sources, as `Rules.published` takes them.

Numbers only, no judgement: `bnjax.lab.results` compares. Where a source gives
single runs, all known ones are listed.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.results import PublishedCurve, PublishedNumber

POST = "Kristiadi 2016, 'Implementing BatchNorm in Neural Net'"
DROPOUT_POST = "Kristiadi 2016, 'Implementing Dropout in Neural Net'"
_LESSON = "Udacity, 'Batch Normalization Lesson': runs in public copies"
_VERY_DEEP = "Varma 2018, 'Training very deep networks with Batchnorm'"
PAPER = "Ioffe and Szegedy 2015, 'Batch Normalization', arXiv:1502.03167"

# The 2016 post, test 1: the loss every 100 iterations, L2 penalty included.


class Range(NamedTuple):
  """What is published where single runs are not: all lie between."""

  low: float
  high: float


# fmt: off
POST_LOSS = (14.756, 6.411, 3.895, 2.463, 1.661, 1.280, 1.046, .940, 1.016,
             .834)
POST_LOSS_WITHOUT = (49.734, 46.620, 44.148, 42.579, 41.301, 38.580, 36.496,
                     34.455, 32.401, 30.353)

# The lesson's grid: (init_scale, learning_rate, steps) -> test accuracies of
# single runs without batch norm, and with it.
LESSON_RELU = {
  (.05, .01, 2000): ((.8161, .8262, .8313, .8167, .8470),
                     (.9496, .9525, .9489, .9501, .9541)),
  (.05, .01, 50_000): ((.9707, .9723, .9740, .9718, .9743, .9737, .9744),
                       (.9792, .9786, .9795, .9800, .9793, .9792, .9781)),
  (.05, 1., 50_000): ((.1032, .0980, .1957), (.9828, .9834, .9825)),
  (.05, 2., 50_000): ((.0974, .1010, .1010), (.9834, .9827, .9822)),
  (5., .01, 50_000): ((.0980, .0980, .0980), (.8107, .7990, .8130)),
  (5., 1., 50_000): ((.0980, .1135, .0980),
                     (.9029, .9208, .7613, .0980, .1010, .7522)),
  (5., 2., 50_000): ((.0980, .0980, .0980),
                     (.9263, .9054, .9072, .3235, .1010, .8395)),
}
LESSON_SIGMOID = {
  (.05, .01, 50_000): ((.787, .804, .811, .827, .219), Range(.956, .975)),
  (.05, 1., 2000): ((.9229, .9227, .8987), (.9524, .9463, .9318)),
  (.05, 1., 50_000): ((.9752, .9775, .9790), (.9796, .9812, .9822)),
  (.05, 2., 2000): ((.9474, .9360, .9438), (.9486, .9524, .9477)),
  (.05, 2., 50_000): ((.9756, .9764, .9782), (.9782, .9786, .9805)),
  (5., .01, 50_000): ((.2476, .2270, .2723), (.8457, .8527, .8507)),
  (5., 1., 50_000): ((.9002, .8957, .8906), (.9503, .9505, .9540)),
  (5., 2., 50_000): ((.8962, .9066, .8997), (.9552, .9583, .9570)),
}
# fmt: on

# The 2018 post's initializations, four of them commented out in its text, and
# He's: name and scale. Its figures are of `std_1e-2`, its text has xavier.
VERY_DEEP_INITS = {
  "std_1e-3": ("normal", 1e-3),
  "std_1e-2": ("normal", 1e-2),
  "std_0_058": ("normal", 2**0.5 * 600**-0.5),
  "uniform_0_012": ("uniform", 6**0.5 / 200),
  "xavier": ("normal", 0.1),
  "he": ("normal", 0.02**0.5),
}

# Titles of the 2018 post's figures, all of them: variances of one draw. Its
# "layer 2" of the gradients is layer 19, `dense_18` here, and its "layer 20" is
# layer 1. How far a second draw may be off is ours: the post has one.
VERY_DEEP_FIGURES = {
  "std_1e-2": {
    "input/input": (1.0038, 1.1),
    "signal/activation_18": (3.465e-44, 10.0),
    "signal/activation_19": (1.902e-46, 10.0),
    "weight_gradient/dense_18/kernel": (3.497e-35, 10.0),
    "weight_gradient/dense_17/kernel": (2.833e-35, 10.0),
    "weight_gradient/dense_16/kernel": (2.045e-35, 10.0),
    "weight_gradient/dense_0/kernel": (2.368e-35, 10.0),
  },
  "as_published": {
    "signal/activation_3": (1.0, 1.1),
    "signal/activation_18": (1.0, 1.1),
    "signal/activation_19": (1.0, 1.1),
    "weight_gradient/dense_18/kernel": (16.400, 1.1),
    "weight_gradient/dense_17/kernel": (27.351, 1.1),
  },
}

# The 2015 paper, Figure 3: the initial learning rate, the steps to 72.2%
# (None: never reached) and the greatest validation accuracy, single crop.
INCEPTION = {
  "inception": (0.0015, 31.0e6, 0.722),
  "bn_baseline": (0.0015, 13.3e6, 0.727),
  "bn_x5": (0.0075, 2.1e6, 0.730),
  "bn_x30": (0.045, 2.7e6, 0.748),
  "bn_x5_sigmoid": (0.0075, None, 0.698),
}


def number(
  arm: str,
  metric: str,
  mean: float,
  std: float | None = None,
  *,
  dataset: str = "mnist",
  **fields: Any,
) -> PublishedNumber:
  """A published mean and standard deviation over seeds (`np.std`).

  Further fields are those of `PublishedNumber`, such as `source` and `step`.
  """
  return PublishedNumber(
    arm=arm, metric=metric, mean=mean, std=std, dataset=dataset, **fields
  )


def curve(
  arm: str,
  metric: str,
  values: Sequence[float],
  *,
  every: int,
  source: str,
  dataset: str = "mnist",
) -> PublishedCurve:
  """Published values of a metric after every so many steps."""
  return PublishedCurve(
    arm=arm,
    metric=metric,
    values=tuple(values),
    steps=tuple(every * (i + 1) for i in range(len(values))),
    source=source,
    dataset=dataset,
  )


def very_deep(arm: str) -> list[PublishedNumber]:
  """The variances in the 2018 post's figures, each with a factor's room."""
  return [
    number(
      arm,
      metric,
      value,
      factor=factor,
      source=f"{_VERY_DEEP}, figures",
      dataset="gaussian",
      step=0,
    )
    for metric, (value, factor) in VERY_DEEP_FIGURES[arm].items()
  ]


def growth_of_gradients(batch_size: float, *, linear: bool = False) -> float:
  """The factor per layer of a gradient's square with batch norm, going back.

  Of infinite width, at any initialization, with ReLU or nothing after the norm
  (theorem 8 of Yang et al. 2019); minibatches of at least 4.

  >>> round(growth_of_gradients(64), 3), growth_of_gradients(8, linear=True)
  (1.493, 1.2)
  >>> round(growth_of_gradients(math.inf), 4)  # pi / (pi - 1)
  1.4669
  """
  if math.isinf(batch_size):
    return 1.0 if linear else math.pi / (math.pi - 1)
  b = batch_size
  if linear:
    return (b - 2) / (b - 3)
  c = -1 / (b - 1)  # the correlation of two examples
  angle = math.pi - math.acos(c)
  j, slope = (math.sqrt(1 - c * c) + angle * c) / math.pi, angle / math.pi
  return (slope + b - 1) / ((b - 3) * (1 - j)) - 1 / (b - 3)


def trainable_depth(batch_size: float) -> float:
  """How many ReLU layers with batch norm train at most, by theory: 16 ξ.

  ξ is the number of layers in which a gradient's square grows by e (Yang et al.
  2019, figure 2); minibatches of at least 4.

  >>> round(trainable_depth(8), 1), round(trainable_depth(math.inf), 1)
  (27.5, 41.8)
  """
  return 16 / math.log(growth_of_gradients(batch_size))


def mean_field_growth(
  arm: str,
  metric: str,
  *,
  margin: float,
  batch_size: float = math.inf,
  linear: bool = False,
) -> PublishedNumber:
  """What theory says a gradient's variance grows by: `growth_of_gradients`."""
  formula = "pi / (pi - 1)" if math.isinf(batch_size) else "theorem 8"
  return number(
    arm,
    metric,
    growth_of_gradients(batch_size, linear=linear),
    margin=margin,
    source=f"Yang et al. 2019, arXiv:1902.08129: {formula}",
    dataset="gaussian",
    step=0,
  )


def inception(
  arm: str, *, metric: str, step: int, versus: str = ""
) -> list[PublishedNumber]:
  """An arm's row of the 2015 paper's Figure 3.

  Args:
    arm: a key of `INCEPTION`.
    metric: the one that counts steps, `steps_to:test_accuracy>=...`.
    step: the last one of this arm here; the paper says none.
    versus: another arm to give them relative to; "" gives them as they are.
  """
  _, steps, best = INCEPTION[arm]
  _, base_steps, base_best = INCEPTION[versus] if versus else (0.0, 1.0, 1.0)
  where: dict[str, Any] = {
    "source": f"{PAPER}, Figure 3",
    "dataset": "imagenet2012",
    "step": step,
    "relative_to": versus or None,
  }
  found = [number(arm, "max:test_accuracy", best / base_best, **where)]
  if steps and base_steps:
    found.append(number(arm, metric, steps / base_steps, **where))
  return found


def lesson(
  arm: str,
  table: Mapping[tuple[float, float, int], Sequence[Sequence[float]]],
  batch_norm: bool,
) -> list[PublishedNumber]:
  """The lesson's runs at every point of its grid."""
  found = []
  for (scale, rate, steps), both in table.items():
    runs = both[batch_norm]
    where: dict[str, Any] = {
      "arm": arm,
      "metric": f"test_accuracy@learning_rate={rate:g},init_scale={scale:g}",
      "source": _LESSON,
      "step": steps,
      "dataset": "mnist",
    }
    if isinstance(runs, Range):
      found.append(PublishedNumber.of_range(*runs, **where))
    else:
      found.append(PublishedNumber.of_runs(runs, **where))
  return found
