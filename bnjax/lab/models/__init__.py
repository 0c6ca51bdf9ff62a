"""Models by name: Flax modules, whose fields are a config's arguments.

All have `num_classes`, the number of logits, and `norm`, which makes a
normalization (see `norms`; None: none). What several have means the same:
`activation` is a name in `ACTIVATIONS`, `initializer` one in `INITIALIZERS` for
every kernel, and `init_scale` multiplies the initial kernels: for `normal` it
is their standard deviation, for `uniform` their largest magnitude. An unknown
name or a value out of its range is a `UserError`.

A model maps examples `x` `[n, ...]` to outputs `[n, ...]`. `train` says whether
it normalizes by the batch and drops (which needs the `dropout` rng); `mask`,
`[n]` of bool, is True where a row is an example and not padding.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import flax.linen as nn

from bnjax.lab.models.arguments import ACTIVATIONS
from bnjax.lab.models.deep import Deep
from bnjax.lab.models.deep_linear import DeepLinear
from bnjax.lab.models.inception import BNInception
from bnjax.lab.models.initializers import INITIALIZERS
from bnjax.lab.models.lenet import LeNet
from bnjax.lab.models.mlp import MLP
from bnjax.lab.models.norms import NORMS
from bnjax.lab.models.residual import ResidualMLP
from bnjax.lab.models.resnet import ResNet


def _entry(
  module: type[nn.Module],
  defaults: Mapping[str, Any] = MappingProxyType({}),
  **fixed: Any,
) -> Callable[..., Any]:
  """A module as configs name it: its field `initializer` is `model.init`.

  A field of that name would hide `flax.linen.Module.init`.
  """

  @functools.wraps(module, updated=())
  def entry(**fields: Any) -> nn.Module:
    if "init" in fields:
      fields["initializer"] = fields.pop("init")
    return module(**fixed, **{**defaults, **fields})

  entry.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
      field.replace(
        name="init" if field.name == "initializer" else field.name,
        kind=field.KEYWORD_ONLY,
        default=defaults.get(field.name, field.default),
      )
      for field in inspect.signature(module).parameters.values()
      if field.name not in ("parent", "name", *fixed)
    ]
  )
  return entry


# Images of 224x224, and all of Figure 5.
_LARGE: dict[str, Any] = {
  "width_factor": 1.0,
  "blocks": (),
  "small_images": False,
}
bn_inception = _entry(BNInception, **_LARGE)
deep = _entry(Deep)
deep_linear = _entry(DeepLinear)
# What BN-Inception is compared with, with norm `none`: it has what the paper
# removes thanks to batch norm. With batch norm it is BN-Baseline.
inception = _entry(
  BNInception,
  **_LARGE,
  dropout_rate=0.4,
  local_response_norm=True,
  per_activation_blocks=0,
)
lenet = _entry(LeNet)
mlp = _entry(MLP)
residual_mlp = _entry(ResidualMLP)
resnet = _entry(ResNet)
small_inception = _entry(
  BNInception, {"width_factor": 1 / 8}, small_images=True
)

MODELS: dict[str, Callable[..., Any]] = {
  "bn_inception": bn_inception,
  "deep": deep,
  "deep_linear": deep_linear,
  "inception": inception,
  "lenet": lenet,
  "mlp": mlp,
  "residual_mlp": residual_mlp,
  "resnet": resnet,
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
  "residual_mlp",
  "resnet",
  "small_inception",
]
