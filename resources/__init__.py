"""What the pipeline talks to, as Dagster resources: the lake, databases, models. Thin: what they do is in `lakehouse`."""
