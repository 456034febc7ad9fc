"""The domain: logs of agents become evidence, verdicts and training data. Plain functions; imports no Dagster."""
