"""The commands of `lakehouse`, one module per noun. Thin: read options, call the domain or a job, show the answer."""
