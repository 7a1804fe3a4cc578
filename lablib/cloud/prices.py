"""What machines cost an hour: a few offers, each with its source and the day on which it was read.

Prices change by the month, and between providers by a factor of four. Nothing in the labs rests on a row; replace them
by today's. All are in US dollars for one GPU and hour, without tax, storage and traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OFFERS", "Offer"]


@dataclass(frozen=True)
class Offer:
    """One line of a price list.

    Attributes
    ----------
    dollars
        For one GPU and hour.
    spot
        Whether the owner may take the machine away.
    gpus
        The fewest that are rented together.
    source, title, read
        Who publishes the price and where, the document that it stands in, and the day on which it was read there.
    """

    name: str
    gpu: str
    dollars: float
    spot: bool
    gpus: int
    source: str
    title: str
    read: str


_AWS = "https://pricing.us-east-1.amazonaws.com", "AWS Price List: Amazon EC2, Linux, on demand"
_AZURE = "https://prices.azure.com/api/retail/prices", "Azure Retail Prices: Virtual Machines, on demand"
_GOOGLE = "https://cloudbilling.googleapis.com", "Cloud Billing Catalog: Compute Engine"
_LAMBDA = "https://lambda.ai/instances", "Lambda: instances, on demand"
_RUNPOD = "https://www.runpod.io/pricing", "RunPod: pricing, GPU pods"

OFFERS = (
    Offer("AWS p5.48xlarge, us-east-1", "H100 SXM", 6.88, False, 8, *_AWS, "2026-11-09"),
    Offer("Azure ND96isr_H100_v5", "H100 SXM", 12.29, False, 8, *_AZURE, "2026-11-09"),
    Offer("Google a3-highgpu-1g, us-central1", "H100 SXM", 10.98, False, 1, *_GOOGLE, "2026-09-26"),
    Offer("Google a3-highgpu-1g, spot", "H100 SXM", 6.57, True, 1, *_GOOGLE, "2026-09-26"),
    Offer("Lambda 8x H100", "H100 SXM", 3.99, False, 8, *_LAMBDA, "2026-09-20"),
    Offer("RunPod, secure", "H100 SXM", 3.99, False, 1, *_RUNPOD, "2026-11-09"),
    Offer("RunPod, community", "H100 SXM", 2.69, False, 1, *_RUNPOD, "2026-11-09"),
)
"""Read by way of two public collections of price lists: github.com/datareceipts/data-receipts (109-gpu-pricing) and
github.com/tgarg01/silybench-data (derived/cost.json); Lambda's by github.com/api-evangelist/lambda-labs."""
