"""What a slot of functions sends to its worker: as a launcher, but many calls a millisecond need a shorter way."""

import time
from binascii import crc32

from packhorse.worker.slots import usage
from packhorse.worker.slots.channel import successes_message
from packhorse.worker.slots.reporter import Reporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from packhorse.worker.slots.call import Call

PATIENCE = 0.01  # seconds that the records of short calls may wait for each other


class CallReporter(Reporter):
    """Collects short successful calls, and measures and sends them together.

    The system is asked for processor time and memory once for all that are sent together, since asking takes as long as
    such a call. The processor time of each is its wall time multiplied by the share of the time in which this process
    had a processor; the memory is the peak of the process so far.
    """

    def __init__(self, channel: "socket.socket", number: int, *, mapped: bool) -> None:
        super(CallReporter, self).__init__(channel, PATIENCE)
        self.number = number
        self.mapped = mapped  # whether tasks map inputs, whose pages are not their memory
        self.calls: "list[tuple[int, int, float, float, bytes]]" = []
        self.cpu_begun = self.begun = 0.0

    def begin(self) -> None:
        """Note the time, before the first call of those that are sent together."""
        self.cpu_begun, self.begun = time.process_time(), time.perf_counter()

    def share(self) -> float:
        """Return the processor seconds of this process a second, since `begin`."""
        return (time.process_time() - self.cpu_begun) / max(time.perf_counter() - self.begun, 1e-9)

    def add_call(self, index: int, seed: int, call: "Call") -> None:
        """Add a short call, and send those that wait if they have waited long enough."""
        self.calls.append((index, seed, call.begin, call.wall, call.json))
        if call.begun + call.wall - self.sent > self.patience:
            self.flush()

    def _send_waiting(self) -> None:
        if self.calls:
            data = self._frame_calls()
            self.calls = []
            self.sent = time.perf_counter()
            self.channel.sendall(data)
        super(CallReporter, self)._send_waiting()

    def _frame_calls(self) -> bytes:
        """Return the message with the calls that wait."""
        share = self.share()
        memory = usage.own_peak(mapped=self.mapped)
        template = (
            ',"index":%%d,"seed":%%d,"begin":%%.3f,"wall":%%.6f,"cpu":%%.6f,"memory":%d,"slot":%d'
            % (memory, self.number)
        ).encode("ascii")
        none, some = template + b"}", template + b',"json":%b}'
        lines = []
        walls = [call[3] for call in self.calls]
        total = sum(walls)
        for index, seed, begin, wall, result in self.calls:
            if result == b"null":
                rest = none % (index, seed, begin, wall, wall * share)
            else:
                rest = some % (index, seed, begin, wall, wall * share, result)
            lines.append(b'{"crc":"%08x"%b\n' % (crc32(rest), rest))
        return successes_message(b"".join(lines), len(lines), total, total * share, max(walls))
