"""Tests of what only the custom project has (``CHAT_TEST_PROJECT=custom``)."""

import os

collect_ignore_glob = [] if os.environ.get("CHAT_TEST_PROJECT") == "custom" else ["test_*"]
