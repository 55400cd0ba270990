"""Loads a large package."""

import torch

print(torch.ones(3).sum())
