"""Other checkers, whose findings tests hold against ours."""
