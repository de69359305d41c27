"""Rules on the cases that a folder has for them: `heltig rules test`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from heltig.errors import InputError
from heltig.rules.cases import try_case
from heltig.rules.catalogue import family_of
from heltig.rules.profile_tables import nearest
from heltig.rules.rule import Rule


class Tried(NamedTuple):
    """How the cases of a folder came out.

    Attributes:
        rules: Rules that have cases.
        cases: Cases.
        problems: What came out otherwise than a case says: file, case, and what came out.
        without_cases: Rules of the site that have none.
    """

    rules: int
    cases: int
    problems: list[str]
    without_cases: list[str]


def try_folder(folder: Path, rules: Mapping[str, Rule]) -> Tried:
    """Run every case in a folder's files, `ID.yml` each, with a list of `cases` (`heltig.rules.cases`).

    Args:
        folder: The folder.
        rules: The rules, by id.

    Raises:
        InputError: There is no such file, or one cannot be read or belongs to no rule.
    """
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        raise InputError(f"{folder} has no file of cases; write one for each rule, such as SITE-MY-RULE.yml")
    problems, count = [], 0
    for path in paths:
        rule = rules.get(path.stem)
        if rule is None:
            raise InputError(f"{path}: there is no rule {path.stem}{nearest(path.stem, rules)}")
        for case in _cases(path):
            count += 1
            try:
                problems += [f"{path}: {case['name']}: {told}" for told in try_case(rule, case)]
            except (LookupError, TypeError, ValueError) as error:
                raise InputError(f"{path}: {case.get('name', 'a case')}: not a case: {error}") from None
    own = [rule.id for rule in rules.values() if family_of(rule) == "Site"]
    tried = {path.stem for path in paths}
    return Tried(len(paths), count, problems, [id for id in own if id not in tried])


def _cases(path: Path) -> list[dict[str, Any]]:
    import yaml  # slow to import

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    cases = content.get("cases") if isinstance(content, dict) else None
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise InputError(f"{path}: no list of cases; begin with `cases:` and a `- name: …` for each")
    return cases
