"""Two reports of `cmsn bench` side by side."""
