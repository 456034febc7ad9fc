"""What the pipeline makes: assets, and the checks that gate them. Each asks a resource, calls `lakehouse` and reports."""
