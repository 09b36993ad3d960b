"""The machine: programs that are run, bytes on their way to a disk, locks between processes. No Git here."""
