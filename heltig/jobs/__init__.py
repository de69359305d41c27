"""Durable jobs: a row in SQL is the truth, whoever runs it.

`queue.JobQueue` adds jobs, `runner.Runner` works them off in this process. Handlers are registered by kind;
this package knows none of them.
"""
