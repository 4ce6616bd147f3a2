"""`python -m cmsn_runtime` is `cmsn`."""

from __future__ import annotations

from cmsn_runtime.cli import main

if __name__ == "__main__":
    main()
