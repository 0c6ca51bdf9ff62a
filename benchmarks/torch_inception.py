"""Inception in PyTorch, block for block, to time beside ours."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bnjax.lab.models.inception_blocks import (
  FIGURE_5,
  Row,
  scale_features,
  scale_row,
)


class _Layer(nn.Module):
  """Convolution, norm, ReLU."""

  def __init__(
    self, given: int, features: int, size: int, stride: int, norm: bool
  ):
    super().__init__()
    self.conv = nn.Conv2d(
      given, features, size, stride, padding=size // 2, bias=not norm
    )
    self.norm = nn.BatchNorm2d(features, momentum=0.01) if norm else None

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    x = self.conv(x)
    return functional.relu_(x if self.norm is None else self.norm(x))

  def fold(self) -> None:
    """Leaves the norm out, of a network in inference mode."""
    if self.norm is not None:
      self.conv = fuse_conv_bn_eval(self.conv, self.norm)
      self.norm = None


class Block(nn.Module):
  """1x1; 1x1 and 3x3; 1x1 and two 3x3; pool and 1x1."""

  def __init__(self, given: int, row: Row, norm: bool):
    super().__init__()
    self.branch_one = _Layer(given, row.one, 1, 1, norm) if row.one else None
    self.branch_three = nn.Sequential(
      _Layer(given, row.three_reduce, 1, 1, norm),
      _Layer(row.three_reduce, row.three, 3, row.stride, norm),
    )
    self.branch_double = nn.Sequential(
      _Layer(given, row.double_reduce, 1, 1, norm),
      _Layer(row.double_reduce, row.double, 3, 1, norm),
      _Layer(row.double, row.double, 3, row.stride, norm),
    )
    if row.pool == "max":
      self.pool: nn.Module = nn.MaxPool2d(3, row.stride, 1)
    else:
      self.pool = nn.AvgPool2d(3, row.stride, 1, count_include_pad=False)
    self.project = None
    if row.projection:
      self.project = _Layer(given, row.projection, 1, 1, norm)
    last = row.projection or given
    self.features = row.one + row.three + row.double + last

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """Maps `[n, given, height, width]` to `[n, features, ...]`."""
    pooled = self.pool(x)
    ends = [] if self.branch_one is None else [self.branch_one(x)]
    ends += [self.branch_three(x), self.branch_double(x)]
    ends.append(pooled if self.project is None else self.project(pooled))
    return torch.cat(ends, dim=1)


class Inception(nn.Module):
  """The network of `bnjax.lab.models`, for images of three channels.

  Args:
    num_classes: number of logits.
    norm: batch norm after every convolution, which then has no bias.
    width_factor: how many times the features of Figure 5.
    small_images: for 32x32 rather than 224x224.
    rows: the blocks.
  """

  def __init__(
    self,
    *,
    num_classes: int,
    norm: bool,
    width_factor: float = 1.0,
    small_images: bool = False,
    rows: Sequence[Row] = FIGURE_5,
  ):
    super().__init__()
    narrow, wide = (scale_features(f, width_factor) for f in (64, 192))
    pool = lambda: nn.MaxPool2d(3, 2, 1)
    first: list[nn.Module]
    if small_images:
      first = [_Layer(3, narrow, 3, 1, norm)]
    else:
      first = [
        nn.Conv2d(3, 24, 7, 2, padding=3, groups=3, bias=False),
        _Layer(24, narrow, 1, 1, norm),
      ]
    stem = [*first, pool(), _Layer(narrow, narrow, 1, 1, norm)]
    stem.append(_Layer(narrow, wide, 3, 1, norm))
    if not small_images:
      stem.append(pool())
    self.stem = nn.Sequential(*stem)
    blocks, given = [], wide
    for row in rows:
      block = Block(given, scale_row(row, width_factor), norm)
      blocks.append(block)
      given = block.features
    self.blocks = nn.Sequential(*blocks)
    self.output = nn.Linear(given, num_classes)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """Maps images `[n, 3, height, width]` to logits."""
    return self.output(self.blocks(self.stem(x)).mean(dim=(2, 3)))


class Place(NamedTuple):
  """Where it runs, and whether in bfloat16 wherever autocast allows it."""

  device: str = "cpu"
  half: bool = False

  def autocast(self) -> torch.autocast:
    """The context of a forward pass."""
    return torch.autocast(self.device, torch.bfloat16, enabled=self.half)

  def wait(self) -> None:
    """Until all that was asked for is done."""
    if self.device != "cpu":
      torch.cuda.synchronize()


def train_step(model: Inception, images: Any, labels: Any, place: Place) -> Any:
  """A function that makes one step of SGD with momentum .9, channels last.

  Args:
    model: changed in place by every call.
    images: NumPy, float32 `[n, height, width, 3]`.
    labels: NumPy, int64 `[n]`.
    place: where.
  """
  _channels_last(model, place).train()
  x, y = _input(images, place), torch.from_numpy(labels).to(place.device)
  optimizer = torch.optim.SGD(model.parameters(), 1e-3, 0.9)

  def step() -> None:
    optimizer.zero_grad(set_to_none=True)
    with place.autocast():
      loss = functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    place.wait()

  return step


def inference(
  model: Inception, images: Any, place: Place, *, folded: bool = False
) -> Any:
  """A function that classifies the images, channels last.

  Args:
    model: as trained.
    images: as for `train_step`.
    place: likewise.
    folded: with the norms folded into the convolutions.
  """
  _channels_last(model, place).eval()
  if folded:
    for layer in [m for m in model.modules() if isinstance(m, _Layer)]:
      layer.fold()
  x = _input(images, place)

  def run() -> None:
    with torch.inference_mode(), place.autocast():
      model(x)
    place.wait()

  return run


def _channels_last(model: Inception, place: Place) -> Inception:
  to: Any = model.to  # whose types lack this argument
  to(device=place.device, memory_format=torch.channels_last)
  return model


def _input(images: Any, place: Place) -> torch.Tensor:
  x = torch.from_numpy(images).to(place.device).permute(0, 3, 1, 2)
  return x.contiguous(memory_format=torch.channels_last)


__all__ = ["Block", "Inception", "Place", "inference", "train_step"]
