"""What runs, and how: layers, workloads, directives, dataflows, mappings, mapspaces."""
