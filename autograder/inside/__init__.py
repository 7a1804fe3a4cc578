"""What runs inside the sandbox, with a hand-in: nothing here is trusted, and nothing here is secret."""
