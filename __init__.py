"""myvlm-tag: teach a photo library your own people, pets and things, and then ask it anything.

Importing this package imports nothing else: `--help`, `sql` and `status` must start fast.
"""

__version__ = "0.1.0"
