r"""Proposed changes as a shell script of `dcmodify` commands (DCMTK), to be read and run by a person.

The script takes files and knows them by their UIDs, so that it holds no file name. It changes an attribute
only while that still has the value that Heltig saw, and leaves files alone of which there is a backup.
Values come from anybody: each is one word in quotes for the shell, control characters and text beyond ASCII
written as octal bytes.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from heltig.dicom.charset import DEFINED_TERMS
from heltig.rules.finding import Finding
from heltig.rules.proposal import ProposedChange
from heltig.standard.dictionary import keyword_of

_START: Final = """\
#!/bin/sh
# Changes that Heltig proposes. Heltig itself never changes data: read this before you run it.
#
#     sh THIS_FILE FILE...
#
# Needs dcmdump and dcmodify of DCMTK. A file that is none of those below is left alone, and an attribute that
# no longer has the value that was seen. What dcmodify changes it keeps as it was in FILE.bak; a file of which
# there is such a copy is left alone, too.
LC_ALL=C
export LC_ALL
failed=0

value() { # TAG: its value in $file, in the data set itself, without padding
    dcmdump -q -M +L +p +P "$1" "$file" 2>/dev/null |
        sed -n 's/^([0-9a-f,]*) [A-Z][A-Z] \\[\\(.*\\)\\] *#[^#]*$/\\1/p' | sed 's/ *$//'
}

is_there() { # TAG
    dcmdump -q -M +p +P "$1" "$file" 2>/dev/null | grep -q "^($1) "
}

still() { # TAG VALUE: it has this value, and no change of it was chosen yet
    case $chosen in *"$1"*) return 1 ;; esac
    [ "$(value "$1")" = "$2" ] && chosen="$chosen $1"
}

for file do
    case $file in /* | ./* | ../*) ;; *) file=./$file ;; esac
    place=$(value 0020,000d)/$(value 0020,000e)/$(value 0008,0018)
    charset=$(value 0008,0005)
    chosen=
    set --
"""

_END: Final = """\
    if [ $# -eq 0 ]; then
        continue
    elif [ -e "$file.bak" ]; then
        printf '%s\\n' "left alone, since it has a backup: $file" >&2
        failed=1
    elif dcmodify -q "$@" "$file"; then
        printf '%s\\n' "changed: $file"
    else
        printf '%s\\n' "dcmodify failed: $file" >&2
        failed=1
    fi
done
exit $failed
"""

_OPTIONS: Final = {"add": "-i", "replace": "-m", "remove": "-e"}
_SPECIAL: Final = re.compile(rb"[^ !#$%&()*+,./0-9:;<=>?@A-Z\[\]^_`a-z{|}~-]")
_SETS: Final = ("ISO_IR 192", *(term for term in DEFINED_TERMS if re.fullmatch("ISO_IR 1[0-4][0-9]", term)))
"""Character sets in which new text is given: Unicode and the parts of ISO 8859."""


class Study(msgspec.Struct, frozen=True):
    """A study's UID, empty where it has none, and what was found about it."""

    uid: str
    findings: tuple[Finding, ...]


def script(studies: Iterable[Study]) -> str:
    """The script, in ASCII.

    A change is left out, with a comment, where `dcmdump` could not tell whether the old value still stands
    (it has a line end or NULL in it), or where no instance has a UID to be known by. Text beyond ASCII is
    changed in files that declare Unicode or a part of ISO 8859.
    """
    parts = [part for study in studies for finding in study.findings for part in _finding(study.uid, finding)]
    return _START + "".join(parts) + _END


def _finding(study: str, finding: Finding) -> Iterator[str]:
    for change in finding.proposed:
        commands = _commands(change)
        places = _places(study, change)
        yield f"    # {finding.rule}: {change.operation} {keyword_of(change.tag) or change.tag}\n"
        if commands and places:
            yield f"    case $place in\n    {places})\n{commands}        ;;\n    esac\n"
        else:
            yield "    # left out: it needs a person, or another program\n"


def _places(study: str, change: ProposedChange) -> str:
    """The patterns of the instances concerned; of those only that have UIDs to be known by."""
    whole = [f"{_word(f'{study}/{series}/')}*" for series in change.series]
    single = [f"{_word(f'{study}/')}*{_word(f'/{uid}')}" for uid in change.instances]
    return " | \\\n    ".join(whole + single)


def _commands(change: ProposedChange) -> str:
    """What chooses the change; empty where it cannot be told or written."""
    tag = f"{change.tag[:4]},{change.tag[4:]}".lower()
    option = _OPTIONS[change.operation]
    if change.was is None:
        return f"        if is_there {tag}; then set -- \"$@\" {option} '({tag})'; fi\n"
    was, becomes = "\\".join(change.was), "\\".join(change.becomes)
    was = was.rstrip(" \0")
    if "\n" in was or "\0" in was + becomes:
        return ""
    if (was + becomes).isascii():
        return _command(tag, option, was.encode(), becomes.encode())
    branches: dict[str, list[str]] = {}
    for term in _SETS:
        try:
            old, new = was.encode(DEFINED_TERMS[term]), becomes.encode(DEFINED_TERMS[term])
        except UnicodeEncodeError:
            continue
        branches.setdefault(_command(tag, option, old, new), []).append(_word(term))
    cases = [f"        {' | '.join(terms)})\n    {chosen}        ;;\n" for chosen, terms in branches.items()]
    return f"        case $charset in\n{''.join(cases)}        esac\n" if cases else ""


def _command(tag: str, option: str, was: bytes, becomes: bytes) -> str:
    change = _quoted(f"({tag})=".encode() + becomes)
    return f'        if still {tag} {_quoted(was)}; then set -- "$@" {option} {change}; fi\n'


def _word(text: str) -> str:
    return _quoted(text.encode("utf-8", "surrogatepass"))


def _quoted(data: bytes) -> str:
    """Any bytes but NUL as one word for the shell, in printable ASCII."""
    if _SPECIAL.search(data) is None:
        return shlex.quote(data.decode("ascii"))
    octal = _SPECIAL.sub(lambda found: b"\\%03o" % found[0][0], data.replace(b"%", b"%%"))
    return f"\"$(printf '{octal.decode('ascii')}')\""
