"""One process of a validation: `python -m heltig.validation ORDER PART PARTS` judges a part of the cases."""

import sys

import msgspec

from heltig.validation.rule_cases import judge_cases

order, part, parts = map(int, sys.argv[1:])
sys.stdout.buffer.write(msgspec.json.encode(list(judge_cases(order=order, part=part, parts=parts))))
