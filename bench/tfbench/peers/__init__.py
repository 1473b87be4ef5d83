"""The programs that run inside the virtual environment: they make the inputs, and they are what
tfrun is measured against."""
