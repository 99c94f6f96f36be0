"""What runs inside the sandbox's processes: standard library only, nothing of ktray, no target ever.

The package is imported under the name `inside` by a clean interpreter; read `zygote` first.
"""
