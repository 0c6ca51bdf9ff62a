"""Models by name: Flax modules, whose fields are a config's arguments."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn

from bnjax.lab.models.arguments import ACTIVATIONS
from bnjax.lab.models.deep import Deep
from bnjax.lab.models.deep_linear import DeepLinear
from bnjax.lab.models.inception import BNInception, SmallInception, inception
from bnjax.lab.models.initializers import INITIALIZERS
from bnjax.lab.models.lenet import LeNet
from bnjax.lab.models.mlp import MLP
from bnjax.lab.models.norms import NORMS


def _entry(module: type[nn.Module]) -> Callable[..., Any]:
  """A module as configs name it: its field `initializer` is `model.init`.

  A field of that name would hide `flax.linen.Module.init`.
  """

  @functools.wraps(module, updated=())
  def entry(**fields: Any) -> nn.Module:
    if "init" in fields:
      fields["initializer"] = fields.pop("init")
    return module(**fields)

  entry.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
      field.replace(
        name="init" if field.name == "initializer" else field.name,
        kind=field.KEYWORD_ONLY,
      )
      for field in inspect.signature(module).parameters.values()
      if field.name not in ("parent", "name")
    ]
  )
  return entry


bn_inception = _entry(BNInception)
deep = _entry(Deep)
deep_linear = _entry(DeepLinear)
lenet = _entry(LeNet)
mlp = _entry(MLP)
small_inception = _entry(SmallInception)

MODELS: dict[str, Callable[..., Any]] = {
  "bn_inception": bn_inception,
  "deep": deep,
  "deep_linear": deep_linear,
  "inception": inception,
  "lenet": lenet,
  "mlp": mlp,
  "small_inception": small_inception,
}

__all__ = [
  "ACTIVATIONS",
  "INITIALIZERS",
  "MODELS",
  "NORMS",
  "bn_inception",
  "deep",
  "deep_linear",
  "inception",
  "lenet",
  "mlp",
  "small_inception",
]
