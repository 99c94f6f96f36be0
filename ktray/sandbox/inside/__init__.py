"""What runs inside the sandbox's processes: standard library only, nothing of ktray, no target ever.

Imports are few and light, since every fork copies the map of what they left in memory.

The package is imported under the name `inside` by a clean interpreter; read `zygote` first.
"""
