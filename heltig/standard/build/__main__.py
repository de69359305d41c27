"""`python -m heltig.standard.build`: write the compiled tables, or check them."""

import argparse
import sys
from pathlib import Path

from heltig.standard.build import check_lists, deidentification, dictionary, sop_classes, terms
from heltig.standard.edition import TABLES

COMPILERS = {
    "dictionary": dictionary.dictionary,
    "uids": dictionary.uids,
    "private_creators": dictionary.private_creators,
    "sop_classes": sop_classes.sop_classes,  # reads the UID registry compiled before it
    "enumerations": terms.enumerations,
    "body_parts": terms.body_parts,
    "iods": check_lists.iods,
    "modules": check_lists.modules,
    "interests": check_lists.interests,  # reads the two before it
    "deidentification": deidentification.deidentification,
}


def main(arguments: list[str] | None = None, *, folder: Path = TABLES) -> int:
    """Write every table; with `--check` compare instead and return 1 when one differs.

    Args:
        arguments: Command line arguments; those of the process by default.
        folder: Where the tables are.
    """
    parser = argparse.ArgumentParser(prog="python -m heltig.standard.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the committed tables differ")
    check = parser.parse_args(arguments).check
    differing = []
    for name, compile_table in COMPILERS.items():
        path = folder / f"{name}.json"
        text = compile_table()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            differing.append(path.name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if differing:
        print(f"differ from their sources: {', '.join(differing)}; run `python -m heltig.standard.build`")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
