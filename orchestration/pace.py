"""How fast the recorder does things, and how patiently; tests give it other figures, so that no test waits.

No clock, no loop.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """All durations of the recorder; seconds unless they say bytes.

    Attributes:
        commit: How long a message may wait for others before the disk is asked to keep them together.
        queue_bytes: What may wait for the disk, per feed; then the client waits.
        seal: How long a spool file is written before it is sealed: no build shows earlier what it holds.
        seal_bytes: The size at which it is sealed at once. Sealing holds it in memory, about four times over.
        calm: The least between two seals that are owed to lost connections.
        base: The longest first wait before connecting or asking again; it doubles with each failure.
        longest: The longest such wait.
        lasting: The wait when only a person can mend what is wrong.
        steady: A connection that lasted so long was a success, and the next wait is a first one.
        look: How often a recorder looks whether another one asks for its feeds.
        patience: How long something that was told to end may take.
        log: How long attempts at a pull feed may wait to be logged; until then what they brought is not yet observed.
            Less than the cadence of any feed, so that only what is caught up with is logged together.
        jump: By how much our clock may leave the monotonic one; beyond, the machine slept, or somebody set the clock.
        silent: How long a vendor may take for a first answer before that is called a trouble.
        tidy: How often what others left behind is looked for, and a trouble that lasts is logged.
        tell: How often it is told how the feeds stand.
        stall: How long a client may be kept waiting for the disk; then it is let go of, and that time is a gap.
        quiet: The length up to which a window of a pull feed without records is asked for anew instead of kept.
    """

    commit: float = 0.2
    queue_bytes: int = 8 << 20
    seal: float = 30.0
    seal_bytes: int = 16 << 20
    calm: float = 10.0
    base: float = 1.0
    longest: float = 60.0
    lasting: float = 300.0
    steady: float = 60.0
    look: float = 1.0
    patience: float = 2.0
    log: float = 10.0
    jump: float = 5.0
    quiet: float = 60.0
    silent: float = 5.0
    tell: float = 2.0
    tidy: float = 300.0
    stall: float = 5.0

    def wait(self, failures: int, *, lasting: bool, chance: random.Random) -> float:
        """Seconds to wait after so many failures in a row, 1 or more, at random so that feeds do not come in step."""
        longest = self.lasting if lasting else min(self.longest, self.base * 2.0 ** (min(failures, 30) - 1))
        return chance.uniform(longest / 2, longest)
