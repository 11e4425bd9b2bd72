"""The models of a studio's devices: who may use which, loaded on first use, gone when unused or in the way.

core.py     events in, decisions out; pure          line.py     who is next and what leaves for it
ledger.py   what the rules count                    decisions.py  what is asked and what is answered
models.py   what can be asked of one device         carrying.py decisions carried out on its lane
effects.py  what happens to a model there           budget.py   how many bytes models may take
lane.py     one thread a device; one builds at once watchdog.py whether it answers, and what is ended if not
fleet.py    several devices: where a job goes       values.py snapshot.py   what goes in and out
learned.py  what work really takes
isolated.py child.py worker.py wire.py   a model in a process of its own: as one sees it; from outside, inside, between
"""

from studio.manager.fleet import Fleet
from studio.manager.models import ModelManager
from studio.manager.values import Lease, ManagerStatus, Resident, Spec

__all__ = ["Fleet", "Lease", "ManagerStatus", "ModelManager", "Resident", "Spec"]
