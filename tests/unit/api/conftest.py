from unit.api.fixtures import guarded, service, shared

__all__ = ["guarded", "service", "shared"]
