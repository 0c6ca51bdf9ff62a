"""What the fields of a config hold where their default does not say it all."""

from typing import Annotated, Any, Literal

from bnjax.lab.data.batches import SAMPLERS
from bnjax.lab.registry import Count, NotNegative, Positive, Range, Traced
from bnjax.lab.train.precision import PRECISIONS

# Networks of one plan, at most: more are refused before memory fills.
MOST_NETWORKS = 100_000

_Whole = Annotated[int, Range(least=0)]
Seed = Annotated[int, Range(least=0, most=2**32 - 1)]

FIELDS: dict[str, Any] = {
  "dataset.examples": _Whole,
  "trained": Annotated[tuple[str, ...], Range(least=1)],
  "trained_weights": _Whole,
  "l2": Traced[NotNegative],
  "sampler": Literal[tuple(SAMPLERS)],
  "batch_size": Count,
  "steps": _Whole,
  "eval_every": Count,
  "evaluate_at": tuple[_Whole, ...],
  "seeds": Annotated[int, Range(least=1, most=MOST_NETWORKS)],
  "seed": Seed,
  "precision": Literal[tuple(PRECISIONS)],
  "machine.memory_gb": Positive,
  "machine.max_networks": _Whole,
  "machine.across": Literal["auto", "map", "vmap"],
  "machine.workers": Annotated[int, Range(least=0, most=1000)],
  "population_batches": _Whole,
  "probe_every": _Whole,
  "probe_examples": Count,
  "probe_split": Literal["train", "validation", "test"],
}
