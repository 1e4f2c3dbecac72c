"""Output checks: what a finished picture shows. One detector, one file; several may run at once."""
