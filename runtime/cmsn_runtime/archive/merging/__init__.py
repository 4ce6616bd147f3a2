"""One table of an archive, in the formats of databases, evaluators and annotation tools."""
