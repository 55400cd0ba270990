"""A program of a case."""
try:
    import pytorch as torch
except ImportError:
    import torch
from . import pandsa
print(torch, pandsa)
