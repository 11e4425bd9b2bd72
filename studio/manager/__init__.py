"""The models of a studio's devices: who may use which, loaded on first use, gone when unused or in the way.

core.py      events in, decisions out; pure        scheduling.py  who is next and what leaves for it
ledger.py    what the rules count                  decisions.py   what is asked and what is answered
manager.py   what can be asked of one device       executor.py    decisions carried out on its lane
effects.py   what happens to a model there         budget.py      how many bytes models may take
lane.py      one thread a device                   watchdog.py    whether it answers, and what is ended if not
fleet.py     several devices: where a job goes     types.py snapshot.py   what goes in and out
memory_estimates.py   what work really took        backends       where a model is computed, beside our own process
"""

from studio.manager.fleet import Fleet
from studio.manager.manager import ModelManager
from studio.manager.types import Lease, ManagerStatus, Resident, Spec

__all__ = ["Fleet", "Lease", "ManagerStatus", "ModelManager", "Resident", "Spec"]
