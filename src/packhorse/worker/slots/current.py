"""The task that a slot is running, in a file that its worker reads also after the slot's process was killed."""

import struct

CURRENT = struct.Struct("=qd")  # index + 1 of the running task (0: none), monotonic time of its start
