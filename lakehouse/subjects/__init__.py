"""Who looked at whose data: a manifest and a chained, signed log per subject, and anchors outside it.

Here: manifests, keys, appending, verifying, anchors. Not here: the gate over all logs (`lakehouse.gates.subjects`).
"""
