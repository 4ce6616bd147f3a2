"""The picture of a report of `cmsn bench`."""
