"""What ships for tests, ours and those of others: Hypothesis strategies, fakes of every port, tiny models."""
