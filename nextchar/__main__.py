"""`python -m nextchar`, the same as the command `nextchar`."""

import sys

from nextchar.cli import main

sys.exit(main())
