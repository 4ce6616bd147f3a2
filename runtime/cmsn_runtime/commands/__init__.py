"""The runtime's own subcommands of `cmsn`. Their modules import nothing heavy until they are called."""
