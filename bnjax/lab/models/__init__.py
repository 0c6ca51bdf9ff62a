"""Models by name: Flax modules, whose fields are a config's arguments."""

from collections.abc import Callable

import flax.linen as nn

from bnjax.lab.models.arguments import ACTIVATIONS
from bnjax.lab.models.deep import Deep
from bnjax.lab.models.inception import BNInception, SmallInception, inception
from bnjax.lab.models.initializers import INITIALIZERS
from bnjax.lab.models.lenet import LeNet
from bnjax.lab.models.mlp import MLP
from bnjax.lab.models.norms import NORMS

MODELS: dict[str, Callable[..., nn.Module]] = {
  "bn_inception": BNInception,
  "deep": Deep,
  "inception": inception,
  "lenet": LeNet,
  "mlp": MLP,
  "small_inception": SmallInception,
}

__all__ = [
  "ACTIVATIONS",
  "INITIALIZERS",
  "MLP",
  "MODELS",
  "NORMS",
  "BNInception",
  "Deep",
  "LeNet",
  "SmallInception",
  "inception",
]
