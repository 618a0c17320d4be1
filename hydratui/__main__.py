"""`python -m hydratui`: the command, where its folder is not on the path."""

import sys

from hydratui.cli import main

sys.exit(main())
