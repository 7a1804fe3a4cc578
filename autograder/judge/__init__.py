"""The trusted side of grading: runs a master's tests, and asks the sandbox for plain values only."""
