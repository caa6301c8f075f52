"""Chooses a library on learning rows: race, assemble, calibrate. Nothing here sees a row that tests the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from reasonflux_agent.learning.calibration import calibrated
from reasonflux_agent.learning.mining import Work, mine, name_of
from reasonflux_agent.learning.outcomes import Asking, Outcomes, Share, in_step
from reasonflux_agent.learning.racing import CONTROLS, Arm, Standing, arms_of, challenge, controls_of, nearest_of, race
from reasonflux_agent.learning.rows import LearningRow, by_group
from reasonflux_agent.prompts.solve import demonstrate
from reasonflux_agent.schema import Template
from reasonflux_agent.strategies.search import document_id, standing_out
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever
from reasonflux_agent.templates.interchange import unproven

MINING = 0.5
"""The share of the calls that mining may take; the races have the rest."""
SURE = 0.85
"""The probability to help (`Standing.gain`) that an arm needs for its place in the library: 2:0 has it, 3:1 has not."""


@dataclass(frozen=True)
class Choice:
    """What was chosen on some rows."""

    library: TemplateLibrary | None
    """None: no template is left."""
    races: dict[str, list[Standing]]
    """Group -> how its arms stand, the first one first."""
    winners: dict[str, Standing]
    """Group -> the arm that is in the library."""


def choose(rows: Sequence[LearningRow], given: TemplateLibrary | None, solver: Outcomes, calls: float) -> Choice:
    """Return the library that these rows choose, for about so many calls at most. Raises ModelError."""
    limit = solver.spent + calls
    rows = sorted(rows, key=lambda row: row.id)  # one order, whatever the fold: an arm meets the same rows first
    groups = by_group(rows)
    works = mine(groups, solver, MINING * calls)
    found = _found(given, groups)
    works_on = {group: [work for work in works if work.row.group == group] for group in groups}
    names = {group: name_of(group, members) for group, members in groups.items()}
    arms = {group: arms_of(names[group], works_on[group], found[group]) for group in groups}
    jobs = {
        group: partial(_race, names[group], members, works_on[group], arms[group], _others(group, arms), solver)
        for group, members in groups.items()
    }
    races = in_step(jobs, solver, limit)
    firsts = {group: standings[0] for group, standings in races.items()}
    winners = {group: first for group, first in firsts.items() if first.arm.name not in CONTROLS and first.gain >= SURE}
    tried = {template.id for templates in found.values() for template in templates}
    kept = {template.id: _shown_to(solver.model_name, template) for template in given or () if template.id not in tried}
    learned: dict[str, Template] = {}
    for group, winner in sorted(winners.items(), key=lambda pair: pair[1].rank):
        for template in winner.arm.way.templates:
            groups_of = [*learned[template.id].provenance["groups"], group] if template.id in learned else [group]
            about = {
                "groups": groups_of,
                "rows": [winner.arm.origins[template.id]] if winner.arm.origins else sorted(winner.arm.rows),
                "seen": [row.id for row in rows],
                "arm": winner.arm.name,
                "model": solver.model_name,
                "tried": len(winner.tried),
                "wins": winner.wins,
                "losses": winner.losses,
            }
            learned[template.id] = template.model_copy(update={"provenance": {**template.provenance, **about}})
    if not kept and not learned:
        return Choice(None, races, winners)
    library = TemplateLibrary((*(kept | learned).values(),), "learned")
    return Choice(calibrated(library, learned, rows) if learned else library, races, winners)


def _race(
    name: str,
    rows: Sequence[LearningRow],
    works: Sequence[Work],
    arms: Sequence[Arm],
    others: Sequence[Arm],
    solver: Outcomes,
    share: Share,
) -> Asking[list[Standing]]:
    standings = yield from race(arms, controls_of(others, solver.programs), rows, solver, share)
    nearest = nearest_of(name, works, standings, rows)
    return (yield from challenge(standings, nearest, rows, solver, share)) if nearest else standings


def _others(group: str, arms: Mapping[str, Sequence[Arm]]) -> list[Arm]:
    return [arm for name, some in arms.items() if name != group for arm in some]


def _shown_to(model: str, template: Template) -> Template:
    """Return the template; what it did for another model is no result for this one."""
    if template.provenance.get("model", model) == model:
        return template
    return template.model_copy(update={"provenance": unproven(template.provenance)})


def _found(given: TemplateLibrary | None, groups: Mapping[str, Sequence[LearningRow]]) -> dict[str, list[Template]]:
    """Return, for each group, the given templates that stand out for one of its problems and can be shown as a turn."""
    if given is None:
        return {group: [] for group in groups}
    retriever = TemplateRetriever.from_library(given)
    found: dict[str, list[Template]] = {}
    for group, members in groups.items():
        firsts = [id for row in members for id in map(document_id, standing_out(retriever.invoke(row.problem)[:1]))]
        templates = map(given.get, dict.fromkeys(firsts))
        found[group] = [template for template in templates if demonstrate(template)]
    return found
