"""One device's models: who may use which, loaded on first use, gone when unused or in the way.

core.py    the rules: events in, decisions out; pure       ledger.py  what the rules count
models.py  carries decisions out on the device's lane      values.py  what goes in and out
lane.py    the one thread that loads, runs and unloads     gauge.py   memory as the system tells it

A model in a process of its own: isolated.py is what the manager sees of it, child.py its process from outside,
worker.py from inside, wire.py what crosses between them.
"""

from studio.manager.models import ModelManager
from studio.manager.values import Lease, ManagerStatus, Resident, Spec

__all__ = ["Lease", "ManagerStatus", "ModelManager", "Resident", "Spec"]
