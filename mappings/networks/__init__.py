"""Families of networks as workloads, without torch: what published measurements were taken on."""
