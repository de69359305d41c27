"""Which series is measured: the versioned policy, and the audit of every series that was looked at."""
