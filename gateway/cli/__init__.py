"""The command line of operators and scripts. Exit codes: 0 done, 1 refused or failed, 2 usage."""
