"""``python -m codesign``."""

import sys

from codesign.cli.main import main

sys.exit(main())
