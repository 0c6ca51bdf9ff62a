"""A convolution that is fast on a CPU inside a loop, for any number of kernels.

XLA on CPU rewrites a convolution for its fast kernel only in the outermost
program. Inside a loop, where training is, the gradients of `flax.linen.Conv`
go value by value, ten to seventy times slower; and mapped over networks by
`vmap` it becomes a grouped convolution, slow everywhere. Here it is one matrix
product, whose derivatives of any order and whose `vmap` are matrix products.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype

from bnjax.lab.errors import UserError, choice
from bnjax.lab.models.pools import same_windows

PADDINGS = ("SAME", "VALID")

# Columns of the matrix product beyond which a wider one is not faster.
_WIDE = 96


class Conv(nn.Module):
  """A two-dimensional convolution like `flax.linen.Conv`, with its parameters.

  Attributes:
    features: of the result.
    kernel_size: rows and columns of the kernel.
    strides: between the windows, in both directions.
    padding: "SAME" or "VALID".
    use_bias: whether to add a bias.
    kernel_init: initializer of `kernel`, `[rows, columns, in, features]`.
    bias_init: initializer of `bias`, `[features]`.
    dtype: of the computation; None: what images and parameters promote to.
  """

  features: int
  kernel_size: tuple[int, int]
  strides: int = 1
  padding: str = "SAME"
  use_bias: bool = True
  kernel_init: Callable[..., jax.Array] = nn.initializers.lecun_normal()
  bias_init: Callable[..., jax.Array] = nn.initializers.zeros
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps `[n, height, width, in]` to `[n, height', width', features]`."""
    shape = (*self.kernel_size, x.shape[-1], self.features)
    kernel = self.param("kernel", self.kernel_init, shape)
    bias = None
    if self.use_bias:
      bias = self.param("bias", self.bias_init, (self.features,))
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
    y = convolve(x, kernel, strides=self.strides, padding=self.padding)
    return y if bias is None else y + bias[None, None, None]


def convolve(
  x: jax.Array, kernel: jax.Array, *, strides: int = 1, padding: str = "SAME"
) -> jax.Array:
  """Convolves images as fast as the default backend can in a loop.

  Args:
    x: `[n, height, width, in]`.
    kernel: `[rows, columns, in, out]`, of x's dtype.
    strides: between the windows, in both directions.
    padding: "SAME" (the result is as large as x, over strides) or "VALID".

  Returns:
    `[n, height', width', out]`. On a CPU by `convolve_by_product`, elsewhere
    by `jax.lax`; they agree to rounding.

  Raises:
    UserError: the padding is not known, or the kernel is larger than x.

  Example:
    >>> x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> convolve(x, jnp.ones((2, 2, 1, 1)), padding="VALID")[0, :, :, 0]
    Array([[ 8., 12.],
           [20., 24.]], dtype=float32)
  """
  choice("padding", padding, PADDINGS)
  size, image = kernel.shape[:2], x.shape[1:3]
  if padding == "VALID" and any(
    k > i for k, i in zip(size, image, strict=True)
  ):
    raise UserError(
      f"padding: 'VALID' leaves nothing of an image of {image} under a kernel "
      f"of {size}"
    )
  if jax.default_backend() == "cpu":
    return convolve_by_product(x, kernel, strides=strides, padding=padding)
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (strides, strides),
    padding,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


def convolve_by_product(
  x: jax.Array, kernel: jax.Array, *, strides: int = 1, padding: str = "SAME"
) -> jax.Array:
  """`convolve` by one product of windows and a matrix made of the kernel.

  Each row of the product is a window that is wide enough for `tile` neighbours
  of one row of the result, and the matrix holds the kernel once for each of
  them, shifted, with zeros elsewhere:

    windows [n * height' * width' / tile, rows * wide * in]
    matrix  [rows * wide * in, tile * out]
    wide = (tile - 1) * strides + columns

  With `tile` = 1 this is the usual im2col. Few features need more: six columns
  would leave the processor's vectors half empty, and neighbours share most of
  their windows, which are copied less often. It at most doubles the products.
  """
  rows, columns, _, out = kernel.shape
  x = _pad(x, (rows, columns), strides, padding)
  n, height = x.shape[0], (x.shape[1] - rows) // strides + 1
  width = (x.shape[2] - columns) // strides + 1
  tile = _tile(width, columns, out)
  x = _wide_windows(x, tile, columns, strides, width)
  last = (height - 1) * strides + 1
  x = jnp.concatenate(
    [x[:, row : row + last : strides] for row in range(rows)], axis=-1
  )
  y = x @ _shifted_kernels(kernel, tile, strides)
  return y.reshape(n, height, width, out)


def _tile(width: int, columns: int, out: int) -> int:
  """Returns how many neighbours one row of the product yields."""
  most = max(1, min(width, columns, _WIDE // out))
  return next(tile for tile in range(most, 0, -1) if width % tile == 0)


def _pad(
  x: jax.Array, size: tuple[int, int], strides: int, padding: str
) -> jax.Array:
  if padding == "VALID":
    return x
  sides = [(0, 0)]
  for length, window in zip(x.shape[1:3], size, strict=True):
    sides.append(same_windows(length, window, strides)[1:])
  return jnp.pad(x, [*sides, (0, 0)])


def _wide_windows(
  x: jax.Array, tile: int, columns: int, strides: int, width: int
) -> jax.Array:
  """Cuts rows into windows: `[n, height, width / tile, wide * in]`.

  Windows start every `tile * strides` columns. Blocks of that many columns
  side by side make up a window, and each is a slice and a reshape of x.
  """
  n, height, given, features = x.shape
  block, wide = tile * strides, (tile - 1) * strides + columns
  span = width * strides
  starts = range(0, wide, block)
  missing = max(starts[-1] + span - given, 0)
  x = jnp.pad(x, ((0, 0), (0, 0), (0, missing), (0, 0)))
  blocks = []
  for start in starts:
    piece = x[:, :, start : start + span]
    piece = piece.reshape(n, height, width // tile, block * features)
    blocks.append(piece[..., : (wide - start) * features])
  return jnp.concatenate(blocks, axis=-1)


def _shifted_kernels(kernel: jax.Array, tile: int, strides: int) -> jax.Array:
  """Returns the matrix `[rows * wide * in, tile * out]`."""
  rows, columns, features, out = kernel.shape
  wide = (tile - 1) * strides + columns
  if tile > 1:
    place = np.arange(wide)[:, None, None]
    start = strides * np.arange(tile)[None, :, None]
    column = np.arange(columns)[None, None, :]
    is_at = jnp.asarray(place == start + column, kernel.dtype)
    kernel = jnp.einsum("wtc,rcio->rwito", is_at, kernel)
  return kernel.reshape(rows * wide * features, tile * out)
