"""From a master to a graded class: notebooks for students, nbgrader's flow for instructors.

`python -m autograder --help` lists the commands; docs/ says how to write a lab and how to grade a class.
"""
