"""Needs a package of an environment."""

import torch

print(torch.ones(3).sum())
