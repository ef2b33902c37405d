"""Side-by-side ratios of Shiftbook and of what else one could write; ``python -m benchmarks`` prints them all."""
