"""The command gateway-nb, a file per group of subcommands."""
