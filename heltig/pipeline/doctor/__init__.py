"""Looks whether everything that Heltig needs is there, and says what to do where it is not."""

from heltig.pipeline.doctor.check import Check, State
from heltig.pipeline.doctor.examination import examine

__all__ = ["Check", "State", "examine"]
