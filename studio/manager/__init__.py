"""The models of a studio's devices: who may use which, loaded on first use, gone when unused or in the way.

core.py      events in, decisions out; pure        scheduling.py  who is next and what leaves for it
ledger.py    what the rules count                  decisions.py   what is asked and what is answered
manager.py   one device: asked, and carried out    effects.py     what happens to a model on its lane
lane.py      one thread a device                   budget.py      how many bytes models may take
fleet.py     several devices: where a job goes     watchdog.py    whether a lane answers, and what is ended if not
memory_estimates.py   what work really took        types.py snapshot.py   what goes in and out
faster.py    whether a pinned model's faster way pays
timings.py   the names of seconds that are learned
backends     where a model is computed, beside our own process
"""

from studio.manager.backends.zero.rented import Rented
from studio.manager.fleet import Fleet
from studio.manager.manager import ModelManager
from studio.manager.types import Lease, ManagerStatus, Resident, Spec

__all__ = ["Fleet", "Lease", "ManagerStatus", "ModelManager", "Rented", "Resident", "Spec"]
