"""Refuse to run what may be traced: a batch of one value per feature.

`jax.eval_shape` and a summary ask for shapes with a batch of one example. What
they trace, and what `jax.jit` would run, cannot be told apart while tracing;
so the error waits until the program is run, or compiled to be.
"""

from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

MESSAGE = (
  "A batch of one number per feature has no variance to normalize by: "
  "use more rows, or normalize() with running statistics."
)


def refuse_to_run(y: jax.Array) -> jax.Array:
  """Returns y, which cannot be computed, nor can a derivative of it.

  Raises:
    ValueError: at once, or as late as when the program is compiled.
  """
  return ONE_VALUE.bind(y)


def _raise(*_: Any, **__: Any) -> Any:
  raise ValueError(MESSAGE)


ONE_VALUE = Primitive("one_value_per_feature")
ONE_VALUE.def_abstract_eval(lambda y: y)
ONE_VALUE.def_impl(_raise)
mlir.register_lowering(ONE_VALUE, _raise)
ad.deflinear2(ONE_VALUE, lambda dy, _: [refuse_to_run(dy)])
batching.defvectorized(ONE_VALUE)
