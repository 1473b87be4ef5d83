"""Archives of modules that a Spark worker does not read anew for each task."""

import os
import sys
import zipimport


def keep():
    """Have zip files of Python's path read again only once they have changed.

    Before each task a Spark worker forgets what it knows of modules that may be there. Python 3.10
    to 3.12 then read every archive of the path (python/cpython#103200, mended in 3.13), and Spark's
    own are among them: a quarter of a second of processor time for each task (SPARK-54744), more
    than the rows of many a task take. Other releases of Python are left as they are.
    """
    importer = zipimport.zipimporter
    if not (3, 10) <= sys.version_info < (3, 13) or getattr(importer, "tfrun_keeps", False):
        return
    read = importer.invalidate_caches

    def invalidate_caches(self):
        try:
            s = os.stat(self.archive)
            now = (s.st_dev, s.st_ino, s.st_mtime_ns, s.st_size)
        except OSError:
            now = None
        if now is None or now != getattr(self, "tfrun_state", None):
            read(self)
        self.tfrun_state = now

    importer.invalidate_caches, importer.tfrun_keeps = invalidate_caches, True
