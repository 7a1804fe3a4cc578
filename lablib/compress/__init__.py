"""What the labs on compression share: the inputs that a layer sees, on which its error is measured.

An error in weights says little; what counts is the error in what the layer computes, on inputs as they come.
"""
