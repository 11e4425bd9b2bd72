"""A group of pictures that was stopped, gone on with: the plan of what is missing, whose sheet shows all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from studio.jobs.context import Plan
from studio.jobs.plans.grid import Before, Cell, Grid
from studio.jobs.plans.models_grid import ModelsGrid, by_models
from studio.recipes import recipe
from studio.results import Artifact


def placed(plan: Grid | ModelsGrid, artifact: Artifact) -> list[int | None]:
    """Of each of the plan's cells, the place of its picture among those of the artifact; None of those it lacks."""
    left = list(range(len(artifact.files)))
    found: list[int | None] = []
    for cell in plan.cells:
        at = left[0] if left and _is(artifact.recipes[left[0]], cell) else None
        found.append(at)
        left = left if at is None else left[1:]
    return found


def missing(plan: Plan | None, artifact: Artifact | None) -> Plan | None:
    """The plan that paints what an artifact lacks of a group; None where nothing is missing, or where it was made of
    pictures, which are not kept with a job that is over."""
    if not isinstance(plan, Grid | ModelsGrid) or plan.layout is None or artifact is None:
        return None
    at = placed(plan, artifact)
    left = [number for number, place in enumerate(at) if place is None]
    if not left or len(plan.cells) - len(left) != len(artifact.files):  # or one that was made of a picture
        return None
    done = [Before(plan.cells[i], artifact.files[j], artifact.recipes[j]) for i, j in enumerate(at) if j is not None]
    whole, cells = plan.whole or plan.cells, tuple(plan.cells[number] for number in left)
    more = {"layout": plan.layout, "keep": plan.keep, "notes": plan.notes, "whole": whole}
    before = (*plan.before, *done)
    if isinstance(plan, ModelsGrid):
        owners = tuple(plan.owners[number] for number in left)
        return by_models(owners, request=plan.request, cells=cells, before=before, **more)
    return Grid(plan.request, cells, before=before, **more)


def together(plan: Plan | None, artifact: Artifact) -> Artifact:
    """The artifact of a group that was gone on with, and the pictures from before, in the order of the group."""
    if not isinstance(plan, Grid | ModelsGrid) or not plan.before:
        return artifact
    at = placed(plan, artifact)
    new = [(plan.cells[i], artifact.files[j], artifact.recipes[j]) for i, j in enumerate(at) if j is not None]
    pool = [*((one.cell, one.file, one.recipe) for one in plan.before), *new]
    files, recipes = list[Path](), list[dict[str, object]]()
    for cell in plan.whole:
        found = next((number for number, one in enumerate(pool) if one[0] == cell), None)
        if found is not None:
            _, file, made = pool.pop(found)
            files.append(file)
            recipes.append(made)
    return replace(artifact, files=tuple(files), recipes=tuple(recipes)) if files else artifact


def labels(plan: Plan | None, artifact: Artifact) -> tuple[str, ...]:
    """What each picture of a group is called, of those that there are; nothing where it has no sheet."""
    if not isinstance(plan, Grid | ModelsGrid) or plan.layout is None:
        return ()
    names = zip(plan.layout.labels, plan.whole or plan.cells, strict=True)
    return _named(list(names), artifact.recipes[: len(artifact.files)])


def _named(left: list[tuple[str, Cell]], recipes: Sequence[dict[str, object]]) -> tuple[str, ...]:
    found: list[str] = []
    for made in recipes:
        at = next((i for i, (_, cell) in enumerate(left) if _is(made, cell)), None)
        found.append("" if at is None else left[at][0])
        left = left if at is None else left[at + 1 :]
    return tuple(found)


def _is(made: dict[str, object], cell: Cell) -> bool:
    model = made["model"]
    same = not cell.model or (isinstance(model, dict) and model.get("id") == cell.model)
    return same and made["seed"] == cell.seed and made["parameters"] == recipe.parameters(cell)
