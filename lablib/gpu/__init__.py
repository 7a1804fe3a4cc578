"""What a GPU does with a kernel, seen without one: traffic, machine code, caches, roofs."""
