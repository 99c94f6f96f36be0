"""Samplers: text in, sampled text out. The port is in `ports`; `engine` is vLLM, `endpoint` an API."""
