"""A program of a case."""
import torch

print(torch)
