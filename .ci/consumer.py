"""What a user sees of the wheel: it runs, and mypy knows its types."""

import sys
from typing import assert_type

import jax
import jax.numpy as jnp

import bnjax

assert "flax" not in sys.modules

y, moments = bnjax.batch_norm(jnp.arange(8.0).reshape(4, 2))
assert_type(y, jax.Array)
assert_type(moments, bnjax.Moments)
assert abs(float(y.sum())) < 1e-5
assert moments.count == 4

from bnjax.linen import BatchNorm as LinenBatchNorm  # noqa: E402
from bnjax.nnx import BatchNorm as NnxBatchNorm  # noqa: E402

assert_type(LinenBatchNorm(axis=1).momentum, float)
print("with jax and flax alone:", NnxBatchNorm.__name__, bnjax.__version__)

# An error for mypy, which says so if it is not one: `--strict` warns of ignores
# that nothing needs.
if len(sys.argv) > 1:
  bnjax.ema("0.9")  # type: ignore[arg-type]
