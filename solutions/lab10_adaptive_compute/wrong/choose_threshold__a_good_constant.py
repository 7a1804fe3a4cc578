# The threshold that is best for the ViT.
def choose_threshold(confidence, flops, budget):
    return 0.9872
