"""Objects that come through a gate: taken into custody, judged, forwarded or kept back."""
