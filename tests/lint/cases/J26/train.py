"""Works on a GPU."""

import torch

print(torch.ones(3).sum())
