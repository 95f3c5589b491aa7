"""What the toolkit costs, survives and mistakes; docs/benchmarks.md says how it is measured."""
