"""What a slot and its worker share in a file: the running task, also after the slot's process was killed, and its use."""

import struct

CURRENT = struct.Struct("=qd")  # index + 1 of the running task (0: none), monotonic time of its start
# What the worker measured of a function's task: index + 1, KiB at most, CPU seconds of processes that the slot has lost.
MEASURED = struct.Struct("=qqd")
HAND_BACK = CURRENT.size + MEASURED.size  # 1: the worker wants the functions back that the slot has not begun
SIZE = HAND_BACK + 1
