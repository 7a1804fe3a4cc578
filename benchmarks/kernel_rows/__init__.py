"""What is measured of each kernel, a module each: ``rows()`` yields the cases with their peers and targets."""
