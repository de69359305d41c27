"""A whole archive, or a range of study dates, pulled by and by."""
