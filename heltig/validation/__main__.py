"""One process of a validation: `python -m heltig.validation ORDER PART PARTS` judges a part of the cases."""

import sys

import msgspec

from heltig.errors import HeltigError
from heltig.validation.rule_cases import judge_cases

order, part, parts = map(int, sys.argv[1:])
try:
    judged = list(judge_cases(order=order, part=part, parts=parts))
except HeltigError as error:
    sys.stderr.write(f"heltig: {error.detail}\n")
    sys.exit(error.exit_code)
sys.stdout.buffer.write(msgspec.json.encode(judged))
