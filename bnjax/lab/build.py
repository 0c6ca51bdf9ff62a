"""From an arm's specification to what is trained: the tables, put together."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from bnjax.lab.models import MODELS, NORMS
from bnjax.lab.train.augment import AUGMENTATIONS
from bnjax.lab.train.losses import LOSSES
from bnjax.lab.train.optim import OPTIMIZERS
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.schedules import SCHEDULES
from bnjax.lab.train.step import Task

# Groups of a config whose `name` chooses an entry, and the rest its arguments.
TABLES: dict[str, Mapping[str, Callable[..., Any]]] = {
  "model": MODELS,
  "norm": NORMS,
  "optimizer": OPTIMIZERS,
  "schedule": SCHEDULES,
  "augment": AUGMENTATIONS,
  "loss": LOSSES,
}

# Numbers that networks of one program may have each their own of.
TRACEABLE = (
  "l2",
  "model.dropout_rate",
  "model.init_scale",
  "norm.decay",
  "norm.epsilon",
  "optimizer.learning_rate",
)


def make_task(
  spec: Mapping[str, Any], *, num_classes: int, pixel_mean: float
) -> Task:
  """The model, optimizer, loss and so on that a specification describes.

  Args:
    spec: an arm's, as `bnjax.lab.arms.resolve_arms` gives it. The fields in
      `TRACEABLE` may be traced.
    num_classes: of the data set.
    pixel_mean: of the training set, subtracted unless dataset.center is false.
  """
  norm = functools.partial(_entry("norm", spec["norm"]), **_given(spec["norm"]))
  model = _make(
    "model", {**spec["model"], "num_classes": num_classes, "norm": norm}
  )
  optimizer = dict(spec["optimizer"])
  schedule = _make("schedule", {**spec["schedule"], "steps": spec["steps"]})
  optimizer["learning_rate"] = schedule(optimizer["learning_rate"])
  return Task(
    model=model,
    optimizer=_make("optimizer", optimizer),
    l2=spec["l2"],
    pixel_mean=pixel_mean if spec["dataset"]["center"] else 0.0,
    loss=_make("loss", spec["loss"]),
    augment=_make("augment", spec["augment"]),
    precision=PRECISIONS[spec["precision"]],
  )


def _make(group: str, fields: Mapping[str, Any]) -> Any:
  return _entry(group, fields)(**_given(fields))


def _entry(group: str, fields: Mapping[str, Any]) -> Callable[..., Any]:
  return TABLES[group][fields["name"]]


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
  return {k: v for k, v in fields.items() if k != "name"}
