"""From an arm's specification to what is trained."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn

from bnjax.lab import registry
from bnjax.lab.config.groups import entry
from bnjax.lab.errors import UserError, choice
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.step import ESTIMATORS, Task
from bnjax.lab.train.trained import only


def make_task(
  spec: Mapping[str, Any], *, num_classes: int, pixel_mean: float
) -> Task:
  """The model, optimizer, loss and so on that a specification describes.

  Args:
    spec: an arm's, as `bnjax.lab.config.resolve` gives it. Its traceable
      fields may be traced, see `bnjax.lab.config.groups`.
    num_classes: of the data set.
    pixel_mean: of the training set, subtracted unless dataset.center is false.

  Raises:
    UserError: a value is out of its range, or code from outside makes
      something else than its group is of.
  """
  norm = _norm(spec)
  model = _make(spec, "model", num_classes=num_classes, norm=norm)
  if not isinstance(model, nn.Module):
    raise _another(spec, "model", model, "a Flax module (linen)")
  rate = {}
  if "learning_rate" in spec["optimizer"]:
    rate["learning_rate"] = _scheduled_rate(spec)
  optimizer = _make(spec, "optimizer", **rate)
  if not hasattr(optimizer, "init") or not hasattr(optimizer, "update"):
    raise _another(spec, "optimizer", optimizer, "an optax transformation")
  if tuple(spec["trained"]) != ("*",) or spec["trained_weights"]:
    optimizer = only(optimizer, spec["trained"], spec["trained_weights"])
  return Task(
    model=model,
    optimizer=optimizer,
    l2=spec["l2"],
    pixel_mean=pixel_mean if spec["dataset"]["center"] else 0.0,
    loss=_make(spec, "loss"),
    augment=_make(spec, "augment"),
    precision=PRECISIONS[spec["precision"]],
    population_estimator=choice(
      "population_estimator", spec["population_estimator"], ESTIMATORS
    ),
  )


def has_schedule(spec: Mapping[str, Any]) -> bool:
  """Whether the learning rate follows a schedule, if only a constant one's."""
  scheduled = spec["schedule"]["name"] != "constant"
  return scheduled and "learning_rate" in spec["optimizer"]


def learning_rate(spec: Mapping[str, Any]) -> Callable[[int], float]:
  """The learning rate of an arm by the number of its update, from 1.

  The arm has a schedule, see `has_schedule`.
  """
  rate = _scheduled_rate(spec)

  @functools.cache  # seeds ask for the same, and a schedule may take long
  def at(step: int) -> float:
    return float(rate(step - 1) if callable(rate) else rate)

  return at


def _scheduled_rate(spec: Mapping[str, Any]) -> Any:
  """The learning rate, or a function of the number of steps done."""
  schedule = _make(spec, "schedule", steps=spec["steps"])
  return schedule(spec["optimizer"]["learning_rate"])


def _norm(spec: Mapping[str, Any]) -> Callable[..., nn.Module]:
  """What models make each of their norms by."""
  fields = dict(spec["norm"])
  norm = functools.partial(entry("norm", fields.pop("name")), **fields)
  if not isinstance(made := norm(), nn.Module):
    raise _another(spec, "norm", made, "a Flax module (linen)")
  return norm


def _make(spec: Mapping[str, Any], group: str, **given: Any) -> Any:
  """What a group names, called with its arguments and what it is given.

  A schedule need not take the number of steps; a model takes all.
  """
  fields = dict(spec[group])
  name = fields.pop("name")
  made = entry(group, name)
  takes = registry.takes(made)
  lacking = [argument for argument in given if not takes(argument)]
  if lacking and group == "model":
    raise UserError(
      f"model.name: {name!r} does not take {' and '.join(lacking)}, which "
      "every model is given"
    )
  return made(**fields | {k: v for k, v in given.items() if takes(k)})


def _another(
  spec: Mapping[str, Any], group: str, made: Any, wanted: str
) -> UserError:
  return UserError(
    f"{group}.name: {spec[group]['name']!r} makes a {type(made).__name__}, and "
    f"is to make {wanted}"
  )
