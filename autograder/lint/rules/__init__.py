"""The rules for a lab's author, a topic a module. A rule reads one test cell and yields its breaches."""
