"""What differs between two states, two copies or the instances of a series."""
