"""What the hardware is: accelerators, devices, budgets, technologies."""
