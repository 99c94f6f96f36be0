"""The adaptive prior. Read `driver.py` first (how a program is coded), then `model.py` and `block.py`."""

from ktray.priors.adaptive.prior import AdaptivePrior

__all__ = ["AdaptivePrior"]
